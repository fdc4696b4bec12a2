// What every page does beyond reading: the drawer, following what comes in, notices. Without this file pages still read.
"use strict";

(() => {
  const drawer = document.getElementById("drawer");
  const notice = document.getElementById("notice");
  if (!drawer || !notice) return;

  // A link that opens in the drawer still opens in a new tab when one asks for that.
  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) {
      if (event.target.closest("a[hx-get]")) event.stopImmediatePropagation();
    }
  }, true);

  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "drawer-body" && !drawer.open) {
      drawer.showModal();
      drawer.scrollTop = 0;
    }
  });
  drawer.addEventListener("click", (event) => {
    if (event.target === drawer) drawer.close();
  });
  drawer.addEventListener("close", () => {
    document.getElementById("drawer-body").replaceChildren();
  });

  // What is folded away on a phone stands open where there is room.
  if (window.matchMedia("(min-width: 48rem)").matches) {
    for (const folded of document.querySelectorAll("details[data-wide-open]")) folded.open = true;
  }

  function say(text, action) {
    notice.replaceChildren();
    const said = document.createElement(action ? "button" : "span");
    said.textContent = text;
    if (action) said.addEventListener("click", action);
    notice.append(said);
    notice.hidden = false;
    if (!action) setTimeout(() => { notice.hidden = true; }, 6000);
  }
  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
    document.body.addEventListener(name, () => say(notice.dataset.failed));
  }

  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }

  // ---- following: the stream says that something came in, and the page fetches its part again -------------------------
  const follows = () => document.querySelector("[data-follow='live'], [data-follow='ask']");
  if (!follows()) return;
  let shown = null;
  let due = false;
  let stream = null;

  function refresh() {
    const part = follows();
    if (!part || !due) return;
    if (part.dataset.follow === "ask") {
      due = false;
      say(notice.dataset.moved, () => window.location.reload());
      return;
    }
    const busy = document.activeElement && document.activeElement.matches("input, select") && part.contains(document.activeElement);
    if (busy) return;
    due = false;
    const open = Array.from(part.querySelectorAll("details"), (one) => one.open);
    htmx.ajax("GET", part.dataset.refresh, { target: "#live", select: "#live", swap: "outerHTML" }).then(() => {
      follows()?.querySelectorAll("details").forEach((one, n) => { one.open = open[n] || false; });
    });
  }
  setInterval(refresh, 2000);

  function moved(event) {
    if (shown !== null && event.data !== shown) due = true;
    else if (shown === null) {
      // The page was made before the stream began: what came in between counts too.
      const had = document.getElementById("fresh")?.dataset.positions.split("@").pop();
      if (had !== undefined && event.data.split(":").pop() !== had) due = true;
    }
    shown = event.data;
  }
  function open() {
    if (stream || document.hidden) return;
    stream = new EventSource("/changes");
    stream.addEventListener("moved", moved);
    stream.addEventListener("open", () => document.body.classList.remove("away"));
    stream.addEventListener("error", () => {
      document.body.classList.add("away");
      if (stream && stream.readyState === EventSource.CLOSED) {
        // Refused for good: the session has ended.
        say(notice.dataset.lost, () => window.location.reload());
        close();
      }
    });
  }
  function close() {
    if (stream) stream.close();
    stream = null;
  }
  // A page in the background holds no stream: a browser allows few at a time to one address.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  window.addEventListener("pagehide", close);
  open();
})();
