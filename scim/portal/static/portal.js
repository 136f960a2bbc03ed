// Copying, times in the reader's zone, the code behind # of a link, and fragments that refresh themselves.
// Every page does without: forms and links work as they are.
"use strict";
(() => {
  const announcement = document.getElementById("announcement");
  const announce = (text) => { announcement.textContent = text; };

  // -- Copying ---------------------------------------------------------
  const copied = async (button) => {
    const field = document.getElementById(button.dataset.copy);
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      announce("Copying is not allowed here: the text is selected, copy it with the keyboard.");
      return;
    }
    const label = button.firstChild;
    label.textContent = "Copied";
    announce("Copied.");
    setTimeout(() => { label.textContent = "Copy"; }, 2000);
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copied(button);
  });

  // -- Times -------------------------------------------------------------
  const short = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
  const enhance = (within) => {
    for (const button of within.querySelectorAll("[data-copy]")) button.hidden = false;
    for (const element of within.querySelectorAll("time[datetime*=T]")) {
      const moment = new Date(element.dateTime);
      element.textContent = short.format(moment);
      element.title = exact.format(moment);
    }
  };
  enhance(document);

  // -- The end of the session, said some time before it; by the clock, since timers stand still while a computer sleeps --
  const ending = document.querySelector("[data-warn-in]");
  const warnAt = Date.now() + Number(ending?.dataset.warnIn) * 1000;
  const warn = () => {
    if (Date.now() < warnAt) { setTimeout(warn, 10_000); return; }
    ending.hidden = false;
    announce(ending.textContent);
  };
  if (ending) warn();

  // -- The session's end, asked for and said in place: the page stays, and what was filled in with it ----------
  const byItself = { headers: { "x-refresh": "1" } };
  const ended = document.querySelector("[data-ended]");
  const showEnded = () => {
    if (!ended || !ended.hidden) return;
    const bytes = crypto.getRandomValues(new Uint8Array(32));
    const attempt = btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace("=", "");
    ended.querySelector("[data-attempt]").value = attempt;
    for (const notice of document.querySelectorAll(".notice.ending")) notice.hidden = notice !== ended;
    announce("Your session has ended. To go on, paste a link on top of the page.");
  };
  const idle = document.querySelector("[data-idle-in]");
  let askAt = Date.now() + Number(idle?.dataset.idleIn) * 1000;
  const lead = 5 * 60;
  const ask = async () => {
    const response = await fetch(idle.dataset.session, byItself);
    if (response.status === 401) { showEnded(); return; }
    if (!response.ok) throw new Error(String(response.status));
    const left = Number(await response.text());
    const isSoon = left <= lead;
    if (isSoon && idle.hidden) announce(idle.firstChild.textContent);
    idle.hidden = !isSoon;
    askAt = Date.now() + (isSoon ? left + 1 : left - lead) * 1000;
  };
  const watchIdle = async () => {
    if (!ended.hidden) return;
    try {
      if (Date.now() >= askAt) await ask();
    } catch { /* an outage: the next round asks again */ }
    setTimeout(watchIdle, 10_000);
  };
  if (idle) {
    watchIdle();
    idle.querySelector("[data-stay]").addEventListener("click", async () => {
      try {
        await fetch(idle.dataset.session);
        await ask();
      } catch { announce("The portal does not answer: try again."); }
    });
  }

  // -- The link's code: filled into the form, and taken out of the address and the history ----------
  const code = document.querySelector("[data-code]");
  if (code && location.hash.startsWith("#scimpl_")) {
    code.value = location.hash.slice(1);
    document.querySelector("[data-code-field]").hidden = true;
    document.querySelector("[data-code-there]").hidden = false;
    history.replaceState(null, "", location.pathname);
  }
  if (location.search === "?again=1") history.replaceState(null, "", location.pathname + location.hash);

  // -- Fragments: <div data-refresh="address" data-every="seconds"> is replaced while the page is looked at --------
  const longest = 30 * 60 * 1000;
  const refresh = async (fragment) => {
    const response = await fetch(fragment.dataset.refresh, byItself);
    if (response.status === 401) { showEnded(); return; }
    // The directory is gone, or the session is of another organization now: the page itself says so.
    if (response.status === 404) { location.reload(); return; }
    if (!response.ok) throw new Error(String(response.status));
    const fresh = await response.text();
    if (fresh === fragment.fresh) return;
    fragment.fresh = fresh;
    const parsed = new DOMParser().parseFromString(fresh, "text/html").body;
    const before = fragment.querySelector("[data-say]");
    const after = parsed.querySelector("[data-say]");
    const hasNews = after && before?.dataset.say !== after.dataset.say;
    if (hasNews) announce(after.dataset.say);
    const standsAnew = after?.matches(".ticks") && (hasNews || before?.dataset.success !== after.dataset.success);
    fragment.replaceChildren(...parsed.childNodes);
    enhance(fragment);
    settle();
    for (const id of (after?.dataset.done ?? "").split(" ").filter(Boolean)) document.getElementById(id)?.classList.add("done");
    if (standsAnew) await refreshHealth();
  };
  const refreshHealth = async () => {
    const response = await fetch(location.pathname, byItself);
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html").querySelector(".health");
    if (fresh) document.querySelector(".health").replaceWith(fresh);
  };
  const settle = () => {
    const success = document.querySelector("[data-success]")?.dataset.success;
    for (const trouble of document.querySelectorAll("[data-last]")) {
      if (success && trouble.dataset.last < success) trouble.classList.add("settled");
    }
  };
  const keepFresh = (fragment) => {
    const began = Date.now();
    const wait = Number(fragment.dataset.every) * 1000;
    const pause = document.querySelector("[data-pause]");
    let paused = false;
    if (pause) {
      pause.hidden = false;
      pause.addEventListener("click", () => {
        paused = !paused;
        pause.textContent = paused ? "Go on refreshing" : "Pause refreshing";
      });
    }
    const again = async () => {
      if (!ended.hidden) return;
      if (Date.now() - began > longest) { announce("The page no longer refreshes itself: load it again."); return; }
      try {
        if (!paused && !document.hidden) await refresh(fragment);
      } catch { /* an outage: what is shown stays, and the next round tries again */ }
      setTimeout(again, wait);
    };
    setTimeout(again, wait);
  };
  for (const fragment of document.querySelectorAll("[data-refresh]")) keepFresh(fragment);
})();
