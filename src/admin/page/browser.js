/**
 * Keeps the status page right while it is open: told that something changed, it fetches the page again and puts in what
 * differs, so that focus and place stay. Makes no HTML of its own.
 */

/** Between two fetches, in milliseconds. */
const PAUSE_MS = 300;
/** Time lines move also when nothing happens. */
const BEAT_MS = 10_000;

const search = document.querySelector("input[type=search]");
const odd = document.querySelector("input[name=odd]");
const live = document.getElementById("live");

/** This clock may differ from the daemon's. */
let aheadMs = 0;
const serverNow = (page) => Number(page.body.dataset.now);
aheadMs = Date.now() - serverNow(document);

const UNITS = [
	[86_400, "d"],
	[3600, "h"],
	[60, "m"],
	[1, "s"],
];

/** As the daemon writes it: the two largest units. */
function span(ms) {
	let rest = Math.max(0, Math.floor(ms / 1000));
	const first = UNITS.findIndex(([size]) => rest >= size);
	if (first === -1) return "0s";
	return UNITS.slice(first, first + 2)
		.flatMap(([size, unit]) => {
			const count = Math.floor(rest / size);
			rest -= count * size;
			return count > 0 ? [`${count}${unit}`] : [];
		})
		.join(" ");
}

/** How long ago everything was, by now. */
function tick(page) {
	for (const time of page.querySelectorAll("main time[datetime]:not(.recent time)")) {
		const text = span(Date.now() - aheadMs - Date.parse(time.dateTime));
		if (time.textContent !== text) time.textContent = text;
	}
}

/** Makes `old` like `next`, and leaves alone what is the same. */
function update(old, next) {
	if (old.isEqualNode(next)) return;
	if (!next.hasAttribute("data-list") || !old.hasAttribute("data-list")) return replace(old, next);
	old.className = next.className;
	const known = new Map([...old.children].map((child) => [child.dataset.key, child]));
	let place = old.firstElementChild;
	for (const child of [...next.children]) {
		const mine = known.get(child.dataset.key);
		known.delete(child.dataset.key);
		if (mine === undefined) {
			old.insertBefore(child, place);
			if (child.dataset.state !== undefined) child.classList.add("fresh");
			continue;
		}
		if (mine === place) place = place.nextElementSibling;
		else old.insertBefore(mine, place);
		update(mine, child);
	}
	for (const child of known.values()) child.remove();
}

function replace(old, next) {
	const hadFocus = old === document.activeElement;
	if (next.dataset.state !== old.dataset.state) next.classList.add("fresh");
	old.replaceWith(next);
	if (hadFocus) next.focus();
}

let isFetching = false;
let isDue = false;

async function refresh() {
	isDue = true;
	if (isFetching || document.hidden) return;
	isFetching = true;
	while (isDue && !document.hidden) {
		isDue = false;
		const asked = `/${location.search}`;
		try {
			const response = await fetch(asked);
			if (!response.ok) throw new Error(`status ${response.status}`);
			const next = new DOMParser().parseFromString(await response.text(), "text/html");
			// the words may have changed meanwhile
			if (asked === `/${location.search}`) {
				aheadMs = Date.now() - serverNow(next);
				tick(next);
				tick(document);
				update(document.getElementById("main"), next.getElementById("main"));
				document.title = next.title;
			} else isDue = true;
		} catch {
			show(false);
		}
		await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
	}
	isFetching = false;
}

function show(isLive) {
	const state = isLive ? "yes" : "no";
	if (document.body.dataset.live === state) return;
	document.body.dataset.live = state;
	live.lastElementChild.textContent = isLive ? "live" : "the daemon does not answer";
}

function follow() {
	const events = new EventSource("/v1/events");
	for (const name of ["status", "backend", "backend-gone", "proxy", "sensor", "fleet", "counts"]) {
		events.addEventListener(name, () => {
			show(true);
			refresh();
		});
	}
	events.onerror = () => {
		show(false);
		// a browser gives up where it was turned away
		if (events.readyState === EventSource.CLOSED) setTimeout(follow, 5000);
	};
}

/** Hides at once what does not fit; the daemon looks among all, also those that the page has no room for. */
function onSearch() {
	const words = search.value.toLowerCase().split(/\s+/);
	for (const row of document.querySelectorAll("tr[data-find]")) {
		row.hidden =
			!words.every((word) => row.dataset.find.includes(word)) || (odd.checked && row.dataset.state === "ready");
	}
	const query = new URLSearchParams(location.search);
	query.delete("q");
	query.delete("odd");
	if (search.value.trim() !== "") query.set("q", search.value.trim());
	if (odd.checked) query.set("odd", "1");
	history.replaceState(null, "", query.size > 0 ? `/?${query}` : "/");
	refresh();
}

/** To the next backend that is shown, or the one before. */
function step(by) {
	const rows = [...document.querySelectorAll("tr[data-find]:not([hidden])")];
	const at = rows.indexOf(document.activeElement);
	const next = rows[at === -1 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by))];
	next?.focus();
	next?.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
	if (event.ctrlKey || event.metaKey || event.altKey) return;
	if (event.key === "Escape") {
		search.value = "";
		odd.checked = false;
		history.replaceState(null, "", "/");
		onSearch();
		document.activeElement?.blur();
		return;
	}
	if (event.target === search) return;
	if (event.key === "/") {
		event.preventDefault();
		search.focus();
		search.select();
	} else if (event.key === "j") step(1);
	else if (event.key === "k") step(-1);
});

search.addEventListener("input", onSearch);
odd.addEventListener("change", onSearch);
search.form.addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("visibilitychange", refresh);
setInterval(tick, 1000, document);
setInterval(refresh, BEAT_MS);
show(true);
follow();
