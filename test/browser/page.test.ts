import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type Page, startChromium } from "../host/chromium.js";
import { solistend } from "../host/daemon.js";
import { type Edge, openEdge } from "../host/edge.js";
import { eventually } from "../host/eventually.js";
import { startListenStorm } from "../host/listen-storm.js";
import { operate, serve, untilTold } from "../host/operator.js";
import { freePort } from "../host/port.js";
import { requirePrivileges } from "../host/privileges.js";

requirePrivileges();

/** An edge whose daemon has a page. */
async function openWatched(): Promise<{ edge: Edge; url: string } & AsyncDisposable> {
	const port = await freePort();
	const edge = await openEdge();
	await edge.configure({ settings: { admin: { socket: edge.socket, http: `127.0.0.1:${port}` } } });
	return { edge, url: `http://127.0.0.1:${port}/`, [Symbol.asyncDispose]: edge.close };
}

/** Texts of the rows that are to be seen. */
const rows = (page: Page) =>
	page.evaluate(
		"[...document.querySelectorAll('tr[data-find]')].filter(({ hidden }) => !hidden).map(({ innerText }) => innerText).join('|')",
	);

const ids = async (page: Page) =>
	z
		.array(z.string())
		.parse(await page.evaluate("[...document.querySelectorAll('tr[data-find]')].map(({ dataset }) => dataset.key)"));

/** Whether its script runs, and is told of what happens. */
const isLive = async (page: Page) => (await page.evaluate("document.body.dataset.live")) === "yes";

const shows = (page: Page, what: string, isThere: (text: string) => boolean) =>
	eventually(what, async () => {
		const text = await rows(page);
		return typeof text === "string" && isThere(text);
	});

describe("the status page in Chromium", () => {
	test("shows a backend that starts to listen, is drained, and is searched for, and is never loaded again", async () => {
		await using watched = await openWatched();
		const { edge, url } = watched;
		const daemon = await edge.startDaemon();
		await using chromium = await startChromium();
		const page = await chromium.newPage();
		await page.open(url);
		await eventually("it is live", () => isLive(page));
		await page.evaluate("window.mark = 'the same page'; null");

		const blue = await serve(edge, daemon, "blue");
		await shows(page, "the backend", (text) => text.includes(blue.id) && text.includes("ready"));
		const green = await serve(edge, daemon, "green");
		await shows(page, "both", (text) => text.includes(green.id));
		const [program, ...words] = solistend("drain", blue.id, "--socket", edge.socket);
		await execa(program, words);
		await shows(page, "that it is held", (text) => text.includes("held drain"));

		await page.press("/");
		expect(await page.evaluate("document.activeElement.type")).toBe("search");
		await page.type(`web ${green.id}`);
		await shows(page, "the other one only", (text) => text.includes(green.id) && !text.includes(blue.id));
		await page.press("Escape");
		await shows(page, "both again", (text) => text.includes(green.id) && text.includes(blue.id));
		await page.press("j");
		expect(await page.evaluate("document.activeElement.dataset.key")).toBe([blue.id, green.id].toSorted()[0]);

		await green.close();
		await shows(page, "that it is gone", (text) => text.includes("gone"));
		expect(await page.evaluate("window.mark")).toBe("the same page");
		expect(page.complaints).toEqual([]);
		expect([...new Set(page.asked.map((address) => new URL(address).origin))]).toEqual([new URL(url).origin]);
	});

	test("shows the first of 700 backends, whatever happens to the others, and all of a service that is asked for", async () => {
		await using watched = await openWatched();
		const { edge, url } = watched;
		const netns = await edge.segment.addNetns("crowd");
		const crowd = edge.owned.own(startListenStorm({ netns, pairs: 0, keep: 700 }));
		await crowd.finished;
		const services = { crowd: { match: { port: "1-65535", netns: netns.name } } };
		const admin = { socket: edge.socket, http: Number(new URL(url).port) };
		await edge.configure({ services, proxy: { mode: "observe" }, settings: { admin } });
		await edge.startDaemon();
		await using chromium = await startChromium();
		const page = await chromium.newPage();
		await page.open(url);
		expect(await ids(page)).toHaveLength(500);
		expect(await page.evaluate("document.querySelector('.tiles').innerText")).toContain("700 of 700");
		expect(await page.evaluate("document.querySelector('[data-key=more]').innerText")).toBe(
			"200 more backends are not shown: show all of crowd",
		);
		const seen = await ids(page);
		const hidden = (await crowd.finished).open
			.map(({ port }) => `${netns.address}:${port}`)
			.find((id) => !seen.includes(id));
		await operate(edge, "drain", `crowd/${hidden}`);
		await shows(page, "it, since it is drained", (text) => text.includes(`${hidden}`) && text.includes("held drain"));
		expect(await ids(page)).toHaveLength(500);

		const storm = edge.owned.own(startListenStorm({ netns, pairs: 600, concurrency: 2, keep: 1 }));
		const [kept] = (await storm.finished).open;
		// who comes and goes before the daemon looks is never a backend: this one is, and then goes
		await untilTold(edge, `${netns.address}:${kept?.port}`, "ready", /./);
		await storm.close();
		await shows(page, "that some of them are gone", (text) => text.includes("gone"));
		expect((await ids(page)).length).toBeLessThanOrEqual(500);

		await page.evaluate("document.querySelector('[data-key=more] a').click(); null");
		await eventually("all of it", async () => (await isLive(page)) && (await ids(page)).length >= 700);
		await page.press("Escape");
		await eventually("the first again", async () => (await ids(page)).length === 500);
		expect(page.complaints).toEqual([]);

		const plain = await chromium.newPage({ hasScripts: false });
		await plain.open(url);
		expect(await ids(plain)).toHaveLength(500);
		await plain.open(`${url}?service=crowd`);
		expect((await ids(plain)).length).toBeGreaterThanOrEqual(700);
	});

	test("has its tables without JavaScript, and narrow as a phone nothing beside the screen", async () => {
		await using watched = await openWatched();
		const { edge, url } = watched;
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, daemon, "blue");
		await using chromium = await startChromium();
		const plain = await chromium.newPage({ hasScripts: false, width: 390, height: 844 });
		await plain.open(`${url}?q=web`);
		// the tools of the browser still look into a page whose own scripts don't run
		const text = await plain.evaluate("document.body.innerText");
		expect(text).toContain(blue.id);
		expect(text).toContain("it listens");
		expect(await plain.evaluate("document.documentElement.scrollWidth")).toBe(390);
		expect(plain.asked.map((address) => new URL(address).pathname)).not.toContain("/page.js");
		expect(plain.complaints).toEqual([]);
	});
});
