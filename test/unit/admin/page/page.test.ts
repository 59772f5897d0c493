import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type PageOptions, pageOf } from "../../../../src/admin/page/page.js";
import { fairShare } from "../../../../src/admin/page/services.js";
import type { BackendView, DaemonStatus, TimelineEntry } from "../../../../src/admin/view.js";
import { daemonStatus, fleetView, hostView, proxyView } from "../status.js";

const NOW = Date.parse("2026-01-01T12:00:00Z");
const since = "2026-01-01T11:59:00.000Z";

const backend = (id: string, changes: Partial<BackendView> = {}): BackendView => ({
	id,
	state: "ready",
	held: false,
	reason: "it listens",
	since,
	...changes,
});

const shown = (
	status: DaemonStatus,
	{ entries = [], ...options }: { entries?: TimelineEntry[] } & Partial<PageOptions> = {},
) =>
	pageOf(
		status,
		{ since: "2026-01-01T11:00:00.000Z", entries },
		{ nowMs: NOW, search: "", isOddOnly: false, service: "", ...options },
	);

const rows = (page: string) => [...page.matchAll(/<tr class="is-\w+" data-key="([^"]*)"/g)].map(([, id]) => id);

/** What a container may call itself, or a tool may say. */
const HOSTILE = `"><script>alert(1)</script><img src=x onerror='x'>&\u202e\u0000`;

describe("the status page", () => {
	test("has every backend with its state, since when and why, without any script", () => {
		const page = shown(
			daemonStatus({
				services: [
					{ name: "api", backends: [] },
					{
						name: "web",
						backends: [
							backend("10.0.0.1:80"),
							backend("10.0.0.2:80", { state: "down", reason: "hung for 5 s", host: "app-2" }),
							backend("10.0.0.3:80", { state: "drain", held: true, reason: "a person drained it" }),
						],
					},
				],
				proxies: [proxyView({ lastApplied: { at: since, stagesMs: { settle: 0.1, runtime: 0.9 } } })],
			}),
		);
		expect(rows(page)).toEqual(["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]);
		for (const text of ["hung for 5 s", "on app-2", "held <small>drain</small>", "a person drained it"]) {
			expect(page).toContain(text);
		}
		expect(page).toContain("solistend explain api");
		expect(page).toContain(`<time datetime="${since}" title="${since}">1m</time> ago, in 1.0 ms`);
		expect(page).toContain('<noscript><meta http-equiv="refresh" content="5"></noscript>');
	});

	test("shows in large what keeps it from its work, and counts it in the title", () => {
		const calm = shown(daemonStatus({ proxies: [proxyView()] }));
		expect(calm).toContain('<ul class="troubles" data-key="troubles" data-list role="status"></ul>');
		expect(calm).toContain("<title>edge-1 – solistend</title>");
		const page = shown(
			daemonStatus({
				sensor: { state: "down", since, why: "the watcher died" },
				proxies: [proxyView({ state: "failed", why: "line 1\nline 2", serving: "the previous configuration" })],
				fleet: fleetView({ registry: { state: "frozen", since, why: "connection refused" } }),
			}),
		);
		expect(page).toContain("<title>(3) edge-1 – solistend</title>");
		expect(page).toContain("<strong>The sensor is down</strong>");
		expect(page).toContain("<strong>Proxy edge: failed</strong>, it goes on serving the previous configuration.");
		expect(page).toContain("<span>line 1</span><span>line 2</span>");
		expect(page).toContain("<strong>The registry is out of reach</strong>");
	});

	test("escapes whatever comes from others, wherever it is shown", () => {
		const hostile = backend(HOSTILE, { reason: HOSTILE, host: HOSTILE });
		const page = shown(
			daemonStatus({
				host: HOSTILE,
				version: HOSTILE,
				services: [
					{ name: HOSTILE, backends: [hostile] },
					{ name: `${HOSTILE}2`, backends: [] },
				],
				sensor: { state: "down", since, why: HOSTILE },
				proxies: [
					proxyView({
						name: HOSTILE,
						type: HOSTILE,
						state: "failed",
						why: HOSTILE,
						serving: HOSTILE,
						steps: [HOSTILE],
					}),
				],
				fleet: fleetView({
					cluster: HOSTILE,
					registry: { state: "frozen", since, why: HOSTILE },
					publishing: { state: "refused", why: HOSTILE },
					hosts: [hostView({ host: HOSTILE, zone: HOSTILE, version: HOSTILE })],
				}),
				losses: { [HOSTILE]: 1 },
			}),
			{
				search: HOSTILE.slice(0, 20),
				entries: [{ at: since, service: HOSTILE, backend: HOSTILE, state: "ready", held: false, reason: HOSTILE }],
			},
		);
		expect(page.match(/<script[^>]*>/g)).toEqual(['<script src="/page.js" type="module">']);
		for (const raw of ["<img", "onerror='"]) expect(page).not.toContain(raw);
		for (const hidden of ["\u202e", "\u0000"]) expect(page).not.toContain(hidden);
	});

	test("escapes any text in the same way", () => {
		fc.assert(
			fc.property(fc.string({ unit: "binary" }), (text) => {
				const page = shown(
					daemonStatus({ services: [{ name: "web", backends: [backend("a", { reason: `<${text}>` })] }] }),
				);
				expect(page).toContain('<td class="why">&lt;');
				const [, why = ""] = /<td class="why">([\s\S]*?)<\/td>/.exec(page) ?? [];
				expect(why).not.toMatch(/[<>"']/);
			}),
		);
	});

	test("searches by all words, in service, address, state, host and reason", () => {
		const status = daemonStatus({
			services: [
				{ name: "api", backends: [backend("10.0.0.1:80"), backend("10.0.0.2:80", { host: "app-2" })] },
				{ name: "web", backends: [backend("10.0.0.3:80", { state: "drain", reason: "told to stop by SIGTERM" })] },
			],
		});
		expect(rows(shown(status, { search: "api" }))).toEqual(["10.0.0.1:80", "10.0.0.2:80"]);
		expect(rows(shown(status, { search: "API app-2" }))).toEqual(["10.0.0.2:80"]);
		expect(rows(shown(status, { search: "sigterm" }))).toEqual(["10.0.0.3:80"]);
		expect(rows(shown(status, { isOddOnly: true }))).toEqual(["10.0.0.3:80"]);
		expect(shown(status, { search: "nowhere" })).toContain("Nothing here fits the search.");
	});

	test("has room for 500 backends, the same for each service that has more, and those first that are not simply ready", () => {
		const all = (name: string, count: number) => ({
			name,
			backends: Array.from({ length: count }, (_, i) =>
				backend(`${name}${i}`, { state: i < count - 10 ? "ready" : "out" }),
			),
		});
		const status = daemonStatus({ services: [all("api", 20), all("shop", 4000), all("web", 3000)] });
		const page = shown(status);
		const of = (name: string, ids = rows(page)) => ids.filter((id) => id?.startsWith(name));
		expect([of("api"), of("shop"), of("web")].map(({ length }) => length)).toEqual([20, 240, 240]);
		expect(of("web").slice(-10)).toEqual(Array.from({ length: 10 }, (_, i) => `web${2990 + i}`));
		expect(page).toContain('2760 more backends are not shown: <a href="/?service=web">show all of web</a>');
		expect(page).not.toContain("show all of api");
		expect(page).toContain("2990 ready");

		const one = shown(status, { service: "web", isOddOnly: false });
		expect(rows(one)).toHaveLength(1000);
		expect(of("web", rows(one))).toHaveLength(1000);
		expect(one).toContain("2000 more backends are not shown: search for them");
		expect(one).toContain('<a href="/">show all services</a>');
		expect(one).toContain('<input type="hidden" name="service" value="web">');
	});

	test("keeps the words of the search when it shows one service, or all again, and says where there is none", () => {
		const services = [{ name: "a b&c", backends: Array.from({ length: 600 }, (_, i) => backend(`b${i}`)) }];
		const page = shown(daemonStatus({ services }), { search: "it listens" });
		expect(page).toContain('<a href="/?service=a+b%26c&amp;q=it+listens">show all of a b&amp;c</a>');
		const none = shown(daemonStatus({ services }), { service: HOSTILE, search: "it", isOddOnly: true });
		expect(none).toContain("No service is named &quot;&gt;&lt;script&gt;");
		expect(none).toContain('<a href="/?q=it&amp;odd=1">show all services</a>');
		expect(rows(none)).toEqual([]);
	});

	test("gives no service more room than another needs", () => {
		fc.assert(
			fc.property(fc.array(fc.nat(1000)), fc.nat(2000), (sizes, room) => {
				const share = fairShare(sizes, room);
				const sum = (most: number) => sizes.reduce((total, size) => total + Math.min(size, most), 0);
				expect(sum(share)).toBeLessThanOrEqual(room);
				if (Number.isFinite(share)) expect(sum(share + 1)).toBeGreaterThan(room);
			}),
		);
	});

	test("shows who left lately, and what happened, the newest first", () => {
		const entry = (at: string, state: TimelineEntry["state"], id = "10.0.0.9:80"): TimelineEntry => {
			return { at: `2026-01-01T11:${at}.000Z`, service: "web", backend: id, state, held: false, reason: "it listens" };
		};
		const entries = [entry("50:00", "ready"), entry("55:00", "gone"), entry("59:00", "ready", "10.0.0.1:80")];
		const services = [{ name: "web", backends: [backend("10.0.0.1:80")] }];
		const page = shown(daemonStatus({ services }), { entries });
		expect(rows(page)).toEqual(["10.0.0.1:80", "10.0.0.9:80"]);
		const times = [...page.matchAll(/<li data-key="[^"]*"><time[^>]*>([\d:]+)</g)].map(([, time]) => time);
		expect(times).toEqual(["11:59:00", "11:55:00", "11:50:00"]);
	});
});
