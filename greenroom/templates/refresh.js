// Puts in what has changed, and nothing else: what is read, or has the focus, stays where it is.
const put = (old, fresh) => {
  if (old.isEqualNode(fresh)) return;
  const href = old.contains(document.activeElement) && document.activeElement.getAttribute("href");
  old.replaceWith(fresh);
  if (href) [...fresh.querySelectorAll("a")].find(link => link.getAttribute("href") === href)?.focus();
};
const headline = page => page.querySelector(".headline")?.textContent ?? "";
const look = async () => {
  if (document.hidden || !getSelection().isCollapsed) return;
  const answer = await fetch(location.href);
  if ([401, 403, 404].includes(answer.status)) return location.reload();
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (headline(document) !== headline(fresh)) document.getElementById("news").textContent = headline(fresh);
  const main = document.querySelector("main"), freshMain = fresh.querySelector("main");
  const olds = [...main.children], news = [...freshMain.children];
  if (olds.length === news.length) olds.forEach((old, place) => put(old, news[place]));
  else put(main, freshMain);
  for (const name of ["header", "footer"]) put(document.querySelector(name), fresh.querySelector(name));
  document.title = fresh.title;
  document.body.dataset.refresh = fresh.body.dataset.refresh ?? "0";
};
const again = () => {
  const seconds = Number(document.body.dataset.refresh);
  if (seconds) setTimeout(() => look().catch(() => {}).finally(again), seconds * 1000);
};
again();
