// What the server can't do: the theme, keys, dialogs. What is live, and connections that are lost: live.js.
// Nothing here makes markup of text: words are put in as text.
'use strict';
(() => {
  const root = document.documentElement;
  root.classList.add('scripted');
  const stored = () => { try { return localStorage.getItem('memoranda-theme'); } catch { return null; } };
  const theme = stored();
  if (theme === 'light' || theme === 'dark') root.dataset.theme = theme;

  const one = (query, within = document) => within.querySelector(query);
  const all = (query, within = document) => [...within.querySelectorAll(query)];
  const csrf = () => one('meta[name=csrf]')?.content ?? '';
  const typing = (element) => element instanceof HTMLElement
    && (element.isContentEditable || /^(textarea|select)$/i.test(element.tagName)
      || (element.tagName === 'INPUT' && !/^(checkbox|radio|button|submit|range)$/.test(element.type)));
  const openDialog = () => one('dialog[open]');
  const made = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };

  // ---- theme, menu, dialogs, dismissing ----
  document.addEventListener('click', (event) => {
    const at = event.target instanceof Element ? event.target : null;
    if (!at) return;
    if (at.closest('[data-theme-toggle]')) {
      const dark = root.dataset.theme
        ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
      root.dataset.theme = dark ? 'light' : 'dark';
      try { localStorage.setItem('memoranda-theme', root.dataset.theme); } catch { /* of this page only, then */ }
    }
    const menu = at.closest('.menu');
    if (menu) {
      const open = one('#side').classList.toggle('open');
      menu.setAttribute('aria-expanded', String(open));
    }
    const opener = at.closest('[data-open]');
    if (opener) open(opener.dataset.open);
    if (at.closest('[data-close]')) at.closest('dialog')?.close();
    if (at.closest('[data-dismiss]')) at.closest('.said')?.remove();
    if (at.closest('[data-back]')) history.back();
    const copy = at.closest('[data-copy]');
    if (copy) navigator.clipboard?.writeText(one(copy.dataset.copy)?.textContent ?? '').then(() => tell('Copied.'));
    if (at instanceof HTMLDialogElement && at.open) at.close(); // its backdrop
  });
  const open = (id) => {
    const dialog = document.getElementById(id);
    if (dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
  };

  // ---- telling ----
  const tell = (text, failed = false) => {
    const place = one('#flash');
    if (!place) return;
    const said = made('div', failed ? 'said failed' : 'said');
    if (failed) said.setAttribute('role', 'alert');
    said.append(made('p', '', text));
    const close = made('button', 'button quiet small', 'Dismiss');
    close.type = 'button';
    close.dataset.dismiss = '';
    said.append(close);
    place.replaceChildren(said);
  };

  // ---- asking before something is done: data-confirm on a form or on one of its buttons ----
  const ask = (question, label, danger, then) => {
    const dialog = made('dialog', 'dialog');
    dialog.setAttribute('aria-labelledby', 'ask-title');
    const title = made('h2', '', question);
    title.id = 'ask-title';
    const end = made('div', 'dialog-end');
    const no = made('button', 'button', 'Cancel');
    const yes = made('button', danger ? 'button danger solid' : 'button primary', label);
    no.type = yes.type = 'button';
    end.append(no, yes);
    dialog.append(title, end);
    const before = document.activeElement;
    dialog.addEventListener('close', () => { dialog.remove(); before?.focus?.(); });
    no.addEventListener('click', () => dialog.close());
    yes.addEventListener('click', () => { dialog.close(); then(); });
    document.body.append(dialog);
    dialog.showModal();
    no.focus();
  };
  const asked = (form, submitter) => [submitter, form].find((element) => element?.dataset?.confirm);
  const agreed = new WeakSet();
  document.addEventListener('submit', (event) => {
    const form = event.target;
    const asking = asked(form, event.submitter);
    if (!asking || agreed.has(form)) { agreed.delete(form); return; }
    event.preventDefault();
    event.stopImmediatePropagation();
    const submitter = event.submitter;
    ask(asking.dataset.confirm, asking.dataset.confirmLabel ?? submitter?.textContent.trim() ?? 'Yes',
      'confirmDanger' in asking.dataset, () => {
        agreed.add(form);
        form.requestSubmit(submitter ?? undefined);
      });
  }, true);

  // ---- htmx ----
  document.addEventListener('htmx:configRequest', (event) => {
    const { detail } = event;
    if (detail.verb !== 'get') detail.headers['X-CSRF-Token'] = csrf();
    // An empty field says nothing: leave it out of the URL.
    if (detail.verb === 'get' && detail.elt.matches('form')) {
      for (const name of [...new Set(detail.formData?.keys() ?? [])]) {
        const values = detail.formData.getAll(name).filter((value) => value !== '');
        detail.formData.delete(name);
        values.forEach((value) => detail.formData.append(name, value));
      }
    }
  });
  // A form that could not be done is answered by its page, which tells why.
  document.addEventListener('htmx:beforeSwap', ({ detail }) => {
    if (detail.xhr.status < 400 || !detail.xhr.getResponseHeader('HX-Retarget')) return;
    detail.shouldSwap = true;
    detail.isError = false;
  });
  document.addEventListener('htmx:responseError', (event) => {
    const { xhr } = event.detail;
    if (xhr.status === 401) return; // its header leads to the sign-in
    const page = new DOMParser().parseFromString(xhr.responseText, 'text/html');
    const said = one('#problem', page)?.textContent.trim();
    tell(said || `The server answered ${xhr.status}.`, true);
  });
  // ---- how long ago ----
  const ago = (then) => {
    const seconds = (Date.now() - then) / 1000;
    const size = Math.abs(seconds);
    if (size < 45) return seconds >= 0 ? 'just now' : 'now';
    let told;
    if (size < 2700) told = `${Math.max(1, Math.round(size / 60))} min`;
    else if (size < 79200) told = `${Math.max(1, Math.round(size / 3600))} h`;
    else if (size < 2246400) { const days = Math.max(1, Math.round(size / 86400)); told = `${days} day${days > 1 ? 's' : ''}`; }
    else return null;
    return seconds >= 0 ? `${told} ago` : `in ${told}`;
  };
  setInterval(() => {
    for (const element of all('time[data-relative]')) {
      const told = ago(Date.parse(element.dateTime));
      if (told && told !== element.textContent) element.textContent = told;
    }
  }, 30000);

  // ---- keys ----
  const rows = () => all('[data-row]').filter((row) => row.offsetParent !== null);
  const move = (step) => {
    const found = rows();
    if (!found.length) return;
    const at = found.findIndex((row) => row.classList.contains('here'));
    const next = found[Math.min(found.length - 1, Math.max(0, at < 0 ? (step > 0 ? 0 : found.length - 1) : at + step))];
    found.forEach((row) => row.classList.toggle('here', row === next));
    const focusable = one('a[href], button, input', next) ?? next;
    focusable.focus({ preventScroll: true });
    next.scrollIntoView({ block: 'nearest' });
    if (next.closest('[data-follow]')) one('a[href]', next)?.click();
  };
  let led = 0;
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape' && typing(document.activeElement) && !openDialog()) { document.activeElement.blur(); return; }
    if (typing(event.target) || openDialog()) return;
    if (led && Date.now() - led < 1500) {
      led = 0;
      const link = one(`#side a[data-key="${CSS.escape(event.key)}"]`);
      if (link) { event.preventDefault(); link.click(); }
      return;
    }
    const here = one('[data-row].here');
    const keyed = all('[data-hotkey]').filter((element) => element.dataset.hotkey === event.key && !element.disabled);
    const own = keyed.find((element) => here?.contains(element)) ?? keyed.find((element) => !element.closest('[data-row]'));
    if (own) {
      event.preventDefault();
      if (typing(own)) own.focus(); else own.click();
      return;
    }
    switch (event.key) {
      case '?': open('shortcuts'); break;
      case '/': { const field = one('[data-search], input[type=search]'); if (!field) return; field.focus(); field.select?.(); break; }
      case 'g': led = Date.now(); break;
      case 'j': move(1); break;
      case 'k': move(-1); break;
      case 'x': { const box = here && one('input[type=checkbox]', here); if (!box) return; box.click(); break; }
      case 'Enter': {
        if (event.target !== document.body && event.target !== here && !event.target.matches?.('input[type=checkbox]')) return;
        const link = here && one('a[href]', here);
        if (!link) return;
        link.click();
        break;
      }
      default: return;
    }
    event.preventDefault();
  });

  // ---- selecting all of a list: a checkbox with data-all="<name>"; [data-selected] tells how many ----
  const count = () => {
    for (const place of all('[data-selected]')) {
      const number = all(`input[type=checkbox][name="${CSS.escape(place.dataset.selected)}"]:checked`).length;
      const told = one('[data-count]', place);
      if (told) told.textContent = String(number);
      place.hidden = number === 0;
    }
  };
  document.addEventListener('input', (event) => {
    const box = event.target;
    if (box instanceof HTMLInputElement && box.dataset.all) {
      all(`input[type=checkbox][name="${CSS.escape(box.dataset.all)}"]`).forEach((each) => { each.checked = box.checked; });
    }
    if (box instanceof HTMLInputElement && box.type === 'checkbox') count();
  });
  document.addEventListener('htmx:afterSettle', count);
  document.addEventListener('live:updated', count);

  // ---- the review queue: the list tells which proposal is shown beside it ----
  const follow = (item) => {
    for (const row of all('[data-follow] [data-row]')) {
      const shown = row.dataset.item === item;
      row.classList.toggle('here', shown);
      const link = one('a[href]', row);
      if (shown) link?.setAttribute('aria-current', 'true'); else link?.removeAttribute('aria-current');
    }
  };
  // After a decision the queue is another one: what was ticked in it, and where it was, stays.
  let queue = null;
  document.addEventListener('htmx:beforeSwap', ({ detail }) => {
    if (detail.target.id !== 'content' || !one('[data-review]')) return;
    queue = { ids: all('[data-review] input[name=ids]:checked').map((box) => box.value), top: one('.split-list')?.scrollTop ?? 0 };
  });
  document.addEventListener('htmx:afterSettle', (event) => {
    if (!(event.target instanceof Element)) return;
    if (event.target.id === 'proposal') follow(event.target.dataset.item);
    if (event.target.id !== 'content' || !queue) return;
    for (const box of all('[data-review] input[name=ids]')) box.checked = queue.ids.includes(box.value);
    if (one('.split-list')) one('.split-list').scrollTop = queue.top;
    const proposal = one('#proposal');
    if (proposal && proposal.getBoundingClientRect().top < 0) proposal.scrollIntoView();
    queue = null;
    count();
  });
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey) || !(event.target instanceof Element)) return;
    event.target.closest('form[data-ctrl-enter]')?.requestSubmit();
  });

  // Enter would send an empty field with the others.
  document.addEventListener('DOMContentLoaded', count);
})();
