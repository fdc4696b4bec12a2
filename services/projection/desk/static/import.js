// Hands a workbook to the registry's API with the desk's session, follows the job, shows what became of each sheet.
"use strict";

(() => {
  const form = document.getElementById("import");
  const progress = document.getElementById("import-progress");
  const result = document.getElementById("import-result");
  const start = form.querySelector("button");
  const bar = progress.querySelector("progress");
  const words = form.dataset;
  const API = "/api/registry/imports";
  const PAUSE = 400;
  const SHEETS = ["单位", "干部", "履历", "派驻"];
  const OUTCOMES = ["已导入", "已更新", "已存在", "未通过"]; // as the registry counts them, sheet by sheet
  start.disabled = false;

  const wait = (ms) => new Promise((done) => setTimeout(done, ms));

  // XMLHttpRequest tells how much of the upload has gone, which fetch does not.
  function send(file, dry, told) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", `${API}?${new URLSearchParams({ dry_run: dry, name: file.name })}`);
      request.setRequestHeader("Content-Type", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet");
      request.setRequestHeader("Idempotency-Key", crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}`);
      request.setRequestHeader("X-CSRF-Token", words.csrf);
      request.upload.addEventListener("progress", (event) => told(event.loaded, event.total));
      request.addEventListener("load", () => resolve({ ok: request.status === 202, body: parsed(request.responseText) }));
      request.addEventListener("error", () => reject(new Error("network")));
      request.send(file);
    });
  }
  const parsed = (body) => { try { return JSON.parse(body); } catch { return {}; } };

  function show(phase, done, total) {
    progress.hidden = false;
    progress.querySelector("[data-phase]").textContent = phase;
    if (total) { bar.max = total; bar.value = done; } else { bar.removeAttribute("value"); }
    progress.querySelector("[data-count]").textContent = total ? `${done.toLocaleString()} / ${total.toLocaleString()}` : "";
  }

  function finish(title, error, job, dry) {
    progress.hidden = true;
    result.hidden = false;
    start.disabled = false;
    const heading = result.querySelector("[data-title]");
    heading.textContent = title;
    const mistake = result.querySelector("[data-error]");
    mistake.hidden = !error;
    mistake.textContent = error || "";
    const table = result.querySelector("table");
    const counts = Object.entries((job && job.counts) || {}).sort(([one], [other]) => SHEETS.indexOf(one) - SHEETS.indexOf(other));
    table.hidden = counts.length === 0;
    const heads = Array.from(table.tHead.rows[0].cells, (cell) => cell.textContent);
    table.tBodies[0].replaceChildren(...counts.map(([sheet, of]) => {
      const row = document.createElement("tr");
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = sheet;
      row.append(head);
      OUTCOMES.forEach((name, n) => {
        const cell = document.createElement("td");
        cell.className = n === 3 && of[name] ? "n bad" : "n";
        cell.dataset.label = heads[n + 1];
        cell.textContent = (of[name] || 0).toLocaleString();
        row.append(cell);
      });
      return row;
    }));
    const back = result.querySelector("[data-back]");
    back.hidden = !job || job.state !== "done";
    if (job) back.href = `${API}/${encodeURIComponent(job.id)}/back-copy`;
    heading.focus();
  }

  // What was recorded shows on the pages a moment later: say that it is done once it does.
  async function visible(position) {
    for (let n = 0; n < 24; n += 1) {
      show(words.visible, 0, 0);
      const answer = await fetch("/api/query/roster?limit=1", { headers: { After: `registry@${position}` } }).catch(() => null);
      if (answer && answer.ok) return;
      await wait(PAUSE);
    }
  }

  const sentence = (problem) => [problem.detail, problem.detail_en].filter(Boolean).join(" ") || words.broken;

  async function run(file, dry) {
    const sent = await send(file, dry, (done, total) => show(words.sending, done, total));
    if (!sent.ok) return finish(words.failed, sentence(sent.body), null, dry);
    let job = sent.body;
    let failures = 0;
    while (job.state !== "done" && job.state !== "failed") {
      show([words[job.state] || words.working, job.phase === job.state ? "" : job.phase].filter(Boolean).join(" · "), job.rows_done, job.rows_total);
      await wait(PAUSE);
      let answer;
      try {
        answer = await fetch(`${API}/${encodeURIComponent(job.id)}`, { headers: { Accept: "application/json" } });
      } catch {
        if (++failures > 20) throw new Error("network");
        continue;
      }
      const body = await answer.json().catch(() => ({}));
      if (answer.ok) { job = body; failures = 0; }
      else if (answer.status >= 500 && ++failures <= 20) continue;
      else return finish(words.failed, sentence(body), null, dry);
    }
    if (job.state === "failed") {
      const refusal = job.refusal || {};
      return finish(words.failed, sentence({ detail: refusal.zh, detail_en: refusal.en }), job, dry);
    }
    if (!dry && job.positions) await visible(job.positions.registry);
    const further = Object.entries(job.further_columns || {}).filter(([, names]) => names.length);
    const ignored = further.map(([sheet, names]) => `${sheet}：${names.join("、")}`).join("；");
    finish(dry ? words.dry : words.done, ignored && `${words.further} ${ignored}`, job, dry);
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const file = form.elements.workbook.files[0];
    if (!file) return;
    start.disabled = true;
    result.hidden = true;
    show(words.sending, 0, 0);
    run(file, form.elements.dry_run.checked).catch(() => finish(words.failed, words.broken, null, false));
  });
})();
