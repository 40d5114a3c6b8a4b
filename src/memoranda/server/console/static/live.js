// What keeps a page up to date, and what tells when that is not possible any more.
//
// An element with an id and `data-live` (seconds between two looks, 3 without a value) is asked for again while the page
// is seen: at its own address, or at `data-live-url`. What came is worked into what is there, node by node: the focus,
// a selection, a dialog, an open field, ticked rows and the scroll stay as they are. Rows are told apart by `id` or
// `data-key`; what is inside `data-keep` is left alone.
//
// When the server does not answer, or the session has ended, a banner says so and nothing on the page is lost: what
// was typed can be sent once the server is back, or one has signed in again in another tab.
'use strict';

(() => {
  const SLOW = 30_000; // between two tries of a connection that is lost
  const PATIENCE = 10_000; // for one answer
  const TOLD = 5_000; // that good news stay
  const fields = 'input, textarea, select';

  // --- working a new version into the page

  const keyOf = (node) => (node.nodeType === 1 ? node.id || node.dataset.key || '' : '');

  /** Whether taking a node away would take something away from whoever is at the page. */
  function isHeld(node) {
    if (node.nodeType !== 1) return false;
    const focused = document.activeElement;
    if (focused && node.contains(focused) && focused.matches(fields)) return true;
    return node.matches('dialog[open], [data-keep]') || node.querySelector('dialog[open], [data-keep], input[type=checkbox]:checked') !== null;
  }

  function morphAttributes(old, made) {
    const own = old.matches('details, dialog') ? ['open'] : [];
    if (old.matches(fields)) own.push('value', 'checked', 'disabled');
    if (old.dataset.selected) own.push('hidden');
    if (old.classList.contains('here')) made.classList.add('here'); // where the keys are
    for (const { name } of [...old.attributes]) {
      if (!made.hasAttribute(name) && !own.includes(name)) old.removeAttribute(name);
    }
    for (const { name, value } of made.attributes) {
      if (old.getAttribute(name) !== value && !own.includes(name)) old.setAttribute(name, value);
    }
  }

  function morph(old, made) {
    if (old.isEqualNode(made)) return;
    if (old.nodeType !== 1) {
      if (old.data !== made.data) old.data = made.data;
      return;
    }
    if (old.matches('dialog[open], [data-keep]')) return;
    morphAttributes(old, made);
    if (!old.matches('textarea, select')) morphChildren(old, made);
  }

  function morphChildren(old, made) {
    const wanted = new Set([...made.childNodes].map(keyOf));
    const there = new Map();
    for (const child of [...old.childNodes]) {
      const key = keyOf(child);
      if (!key) continue;
      if (wanted.has(key) || isHeld(child)) there.set(key, child);
      else child.remove();
    }
    let place = old.firstChild;
    for (const one of [...made.childNodes]) {
      const key = keyOf(one);
      while (place && !key && keyOf(place) && !wanted.has(keyOf(place))) place = place.nextSibling; // a row that is held
      let match = key ? there.get(key) : place;
      if (match && !key && (keyOf(match) || match.nodeName !== one.nodeName)) match = null;
      if (match && match.nodeName !== one.nodeName) match = null;
      if (!match) {
        old.insertBefore(document.importNode(one, true), place);
        continue;
      }
      if (match === place) place = place.nextSibling;
      else old.insertBefore(match, place);
      morph(match, one);
    }
    while (place) {
      const next = place.nextSibling;
      if (!isHeld(place)) place.remove();
      place = next;
    }
  }

  /** Whether somebody marks words in an element just now. */
  function isMarked(element) {
    const marked = document.getSelection();
    return marked && !marked.isCollapsed && marked.rangeCount > 0 && marked.getRangeAt(0).intersectsNode(element);
  }

  function work(element, text) {
    const made = new DOMParser().parseFromString(text, 'text/html').getElementById(element.id);
    if (!made) return;
    const focused = element.contains(document.activeElement) ? document.activeElement : null;
    const row = focused && focused.closest('[data-key], [id]');
    morph(element, made);
    if (focused && !focused.isConnected) {
      // What had the focus is gone, such as a button that has had its day: its row is the next best place.
      const home = row && row.isConnected ? row : element;
      const next = home.querySelector('a[href], button') || home;
      if (next === home && !home.hasAttribute('tabindex')) home.setAttribute('tabindex', '-1');
      next.focus({ preventScroll: true });
    }
    if (window.htmx) window.htmx.process(element);
    element.dispatchEvent(new CustomEvent('live:updated', { bubbles: true }));
  }

  // --- the banner

  const banner = document.getElementById('lost');
  let state = 'ok'; // 'lost': no answer, 'ended': no session, 'refused': no right to it any more
  let since = null;
  let hiding = 0;

  function tell(kind, text, ...more) {
    clearTimeout(hiding);
    const words = document.createElement('p');
    words.textContent = text;
    banner.className = `banner ${kind}`;
    banner.hidden = false;
    banner.replaceChildren(words, ...more);
    document.documentElement.dataset.connection = state;
    if (kind === 'good') hiding = setTimeout(() => { banner.hidden = true; banner.replaceChildren(); }, TOLD);
  }

  function button(text, act) {
    const made = document.createElement('button');
    made.type = 'button';
    made.className = 'button small';
    made.textContent = text;
    made.addEventListener('click', act);
    return made;
  }

  const clock = () => new Date().toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });

  function lose() {
    if (state === 'lost') return;
    state = 'lost';
    since = since || clock();
    tell('bad', `The server does not answer. What you see is as of ${since}; it is tried again.`, button('Try now', look));
  }

  function end() {
    if (state === 'ended') return;
    state = 'ended';
    const link = document.createElement('a');
    link.href = `/console/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`;
    link.target = '_blank';
    link.rel = 'noopener';
    link.className = 'button small';
    link.textContent = 'Sign in again';
    tell('bad', 'Your session has ended. Sign in in a new tab, and go on here: nothing you typed is lost.', link);
  }

  function refuse(gone) {
    state = 'refused';
    const why = gone ? 'What this page shows is gone: it was erased.' : 'You may not see this any more: your key has changed.';
    tell('bad', why, button('Load again', () => location.reload()));
  }

  function recover() {
    since = clock();
    if (state === 'ok') return;
    const was = state;
    state = 'ok';
    tell('good', was === 'ended' ? 'You are signed in again.' : 'The server answers again.');
  }

  // --- looking

  const seen = new WeakMap();
  const due = new WeakMap();
  let pause = 3_000;
  let looking = false;
  let timer = 0;

  async function ask(url, headers) {
    const ending = new AbortController();
    const patience = setTimeout(() => ending.abort(), PATIENCE);
    try {
      const answer = await fetch(url, { headers, signal: ending.signal, credentials: 'same-origin', cache: 'no-store', redirect: 'error' });
      return { status: answer.status, seen: answer.headers.get('X-Seen'), text: await answer.text() };
    } finally {
      clearTimeout(patience);
    }
  }

  /** Take over what a new session needs in the forms of this page, if it is the same person's. */
  async function renew() {
    const answer = await ask(location.pathname + location.search, {});
    if (answer.status !== 200) return answer;
    const made = new DOMParser().parseFromString(answer.text, 'text/html');
    const whose = (page) => page.querySelector('meta[name="viewer"]')?.content;
    if (whose(made) !== whose(document)) {
      location.reload();
      return answer;
    }
    const token = made.querySelector('meta[name="csrf"]');
    const own = document.querySelector('meta[name="csrf"]');
    if (token && own) {
      own.content = token.content;
      for (const field of document.querySelectorAll('input[name="csrf"]')) field.value = token.content;
    }
    return answer;
  }

  /** What an answer says of the connection. Whether it can be used. */
  function heard(status) {
    if (status === 401) end();
    else if (status === 403 || status === 404) refuse(status === 404);
    else if (status >= 500 || status === 429) lose();
    else {
      recover();
      return true;
    }
    return false;
  }

  async function lookAt(element) {
    const headers = { 'HX-Request': 'true', 'HX-Target': element.id, 'X-Poll': seen.get(element) || element.dataset.seen || '-' };
    const url = element.dataset.liveUrl || location.pathname + location.search;
    const answer = await ask(url, headers);
    if (!heard(answer.status) || answer.status === 204 || !element.isConnected) return;
    if (isMarked(element)) return; // the same is asked for again
    seen.set(element, answer.seen || '');
    work(element, answer.text);
  }

  async function look() {
    clearTimeout(timer);
    if (looking || document.visibilityState === 'hidden') return;
    looking = true;
    try {
      if (state === 'ended') {
        if (heard((await renew()).status)) pause = 3_000;
      } else if (state !== 'refused') {
        const now = performance.now();
        const live = [...document.querySelectorAll('[data-live][id]')];
        for (const element of live) {
          if (state === 'ok' && now < (due.get(element) || 0)) continue;
          due.set(element, performance.now() + 1000 * (Number(element.dataset.live) || 3));
          await lookAt(element);
        }
        if (!live.length && state === 'lost') heard((await ask('/health', {})).status);
      }
    } catch {
      lose();
    } finally {
      looking = false;
      pause = state === 'lost' ? Math.min(2 * pause, SLOW) : 3_000;
      if (state !== 'refused') timer = setTimeout(look, state === 'ok' ? 500 : pause);
    }
  }

  function begin() {
    const now = performance.now();
    for (const element of document.querySelectorAll('[data-live][id]')) {
      if (!due.has(element)) due.set(element, now + 1000 * (Number(element.dataset.live) || 3));
    }
  }

  since = clock();
  begin();
  timer = setTimeout(look, 500);
  document.addEventListener('visibilitychange', look);
  window.addEventListener('focus', () => { if (state === 'ended') look(); });
  window.addEventListener('online', look);
  window.addEventListener('offline', lose);
  // The same for what htmx asks for: an answer without a session would lead away from what was typed.
  document.addEventListener('htmx:sendError', lose);
  document.addEventListener('htmx:timeout', lose);
  document.addEventListener('htmx:afterRequest', (event) => { if (event.detail.successful) recover(); });
  document.addEventListener('htmx:beforeOnLoad', (event) => {
    if (event.detail.xhr.status !== 401) return;
    event.preventDefault();
    end();
    timer = setTimeout(look, pause);
  });
  window.memorandaLive = { look, morph };
})();
