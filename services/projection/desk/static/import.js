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
  start.disabled = false;

  const hex = (text) => Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));

  // XMLHttpRequest tells how much of the upload has gone, which fetch does not.
  function send(file, dry, told) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", `${API}?dry_run=${dry}`);
      request.setRequestHeader("Content-Type", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet");
      request.setRequestHeader("Idempotency-Key", crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}`);
      request.setRequestHeader("X-CSRF-Token", words.csrf);
      request.setRequestHeader("X-File-Name", hex(file.name));
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
    const counts = Object.entries((job && job.counts) || {});
    table.hidden = counts.length === 0;
    const heads = Array.from(table.tHead.rows[0].cells, (cell) => cell.textContent);
    table.tBodies[0].replaceChildren(...counts.map(([sheet, of]) => {
      const row = document.createElement("tr");
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = sheet;
      row.append(head);
      ["imported", "updated", "unchanged", "refused"].forEach((name, n) => {
        const cell = document.createElement("td");
        cell.className = name === "refused" && of[name] ? "n bad" : "n";
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

  const sentence = (problem) => [problem.detail, problem.detail_en].filter(Boolean).join(" ") || words.broken;

  async function run(file, dry) {
    const sent = await send(file, dry, (done, total) => show(words.sending, done, total));
    if (!sent.ok) return finish(words.failed, sentence(sent.body), null, dry);
    let job = sent.body;
    let failures = 0;
    while (job.state === "waiting" || job.state === "running") {
      show(job.phase || words.working, job.done || 0, job.total || 0);
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
    const done = job.state === "done";
    finish(done ? (dry ? words.dry : words.done) : words.failed, done ? "" : (job.error || words.broken), job, dry);
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
