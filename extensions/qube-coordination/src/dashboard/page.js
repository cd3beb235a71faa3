"use strict";
// Brings the parts of the page up to date: the server says when something has changed, and the page is asked for anew. Where
// the server does not say it any more the page asks by itself, now and then.
(() => {
  const live = document.getElementById("live");
  const how = live.querySelector(".how");
  const MINUTE = 60, HOUR = 3600, DAY = 86400;
  const AGAIN_MIN_MS = 1000, AGAIN_MAX_MS = 30000;
  // By the server's clock, as all else in the page.
  const main = document.getElementById("parts");
  const ahead_of = (part) => Math.round(Date.now() / 1000 - Number(part.dataset.now));
  let ahead_s = ahead_of(main);
  let shown = main.dataset.revision;
  let wanted = shown, busy = false, gap = false, failures = 0, timer = 0, source = null;

  const say = (state, words) => {
    live.className = "live " + state;
    if (how.textContent !== words) how.textContent = words;
  };

  // As the server words it.
  const ago = (at, now) => {
    const span = Math.abs(now - at);
    // A page may be some seconds old when it comes.
    if (span < MINUTE) return at <= now + 15 ? "just now" : "in a moment";
    const words = span < HOUR ? Math.floor(span / MINUTE) + " min"
      : span < 2 * DAY ? Math.floor(span / HOUR) + " h" : Math.floor(span / DAY) + " d";
    return at <= now ? words + " ago" : "in " + words;
  };
  const tell = () => {
    const now = Math.floor(Date.now() / 1000) - ahead_s;
    for (const time of document.querySelectorAll("main time")) {
      const words = ago(Number(time.dataset.at), now);
      if (time.textContent !== words) time.textContent = words;
    }
  };

  // Replaces what differs, and leaves open what somebody has opened.
  const put = (next) => {
    const old_main = document.getElementById("parts"), fresh = next.getElementById("parts");
    if (!fresh) throw new Error("another page");
    const parts = (root) => [...root.querySelectorAll("[data-part]")];
    const ids = (root) => parts(root).map((part) => part.id).join(" ");
    const keep = (old, part) => {
      for (const details of part.querySelectorAll("details[id]")) {
        const was = document.getElementById(details.id);
        if (was && old.contains(was)) details.open = was.open;
      }
      old.replaceWith(document.adoptNode(part));
    };
    if (ids(old_main) !== ids(fresh)) {
      keep(old_main, fresh);
    } else {
      for (const part of parts(fresh)) {
        const old = document.getElementById(part.id);
        if (!old.isEqualNode(part)) keep(old, part);
      }
      old_main.dataset.revision = fresh.dataset.revision;
    }
    ahead_s = Math.min(ahead_s, ahead_of(fresh));
    document.title = next.title;
    shown = fresh.dataset.revision;
    tell();
  };

  const refresh = async () => {
    if (busy || document.hidden) return;
    busy = true;
    const asked = wanted;
    try {
      const answer = await fetch(location.href, { cache: "no-store", credentials: "same-origin" });
      if (!answer.ok) throw new Error("status " + answer.status);
      put(new DOMParser().parseFromString(await answer.text(), "text/html"));
      failures = 0;
    } catch {
      failures += 1;
      if (source === null || source.readyState !== EventSource.OPEN) say("off", "Reconnecting");
      later(refresh);
    }
    busy = false;
    if (asked !== wanted) refresh();
  };

  const later = (work) => {
    clearTimeout(timer);
    const most = Math.min(AGAIN_MAX_MS, AGAIN_MIN_MS * 2 ** Math.min(failures, 8));
    timer = setTimeout(work, most * (0.5 + Math.random() / 2));
  };

  const connect = () => {
    if (source !== null) source.close();
    source = new EventSource(live.dataset.live);
    source.addEventListener("revision", (event) => {
      failures = 0;
      clearTimeout(timer);
      say("on", "Live");
      wanted = event.data;
      // After a gap a number says nothing: the relay may have begun to count anew.
      if (wanted !== shown || gap) refresh();
      gap = false;
    });
    source.onerror = () => {
      failures += 1;
      gap = true;
      say("off", "Reconnecting");
      // What a browser tries again by itself it does without patience; and an answer such as 503 it takes for the last.
      source.close();
      later(async () => {
        await refresh();
        connect();
      });
    };
  };

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
      tell();
      if (wanted !== shown) refresh();
    }
  });
  setInterval(tell, 20000);
  // Some things change by time alone, and the server does not always say so.
  setInterval(refresh, 60000);
  say("", "Connecting");
  tell();
  connect();
})();
