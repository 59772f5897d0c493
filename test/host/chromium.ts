/**
 * A real Chromium without a window, told what to do through its DevTools protocol over a pipe: no port, no library. What a
 * page asks for, and what its console has, is kept.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { Readable, Writable } from "node:stream";
import { z } from "zod";
import { tempFolder } from "./temp-folder.js";

/** Where Debian puts it; test/extended/browser.sh installs it. */
const CHROMIUM = "/usr/bin/chromium";

export interface Page {
	/** Loads an address, and waits until it is there with all that it loads. */
	open(url: string): Promise<void>;
	/** What an expression is, in the page. */
	evaluate(expression: string): Promise<unknown>;
	/** One key, such as `/` or `Escape`. */
	press(key: string): Promise<void>;
	type(text: string): Promise<void>;
	/** A PNG of what is to be seen, or of the whole page. */
	screenshot(isWhole?: boolean): Promise<Buffer>;
	/** All addresses that were asked for. */
	readonly asked: readonly string[];
	/** Lines of the console, and whatever else the browser complained of. */
	readonly complaints: readonly string[];
}

export interface PageOptions {
	readonly width?: number;
	readonly height?: number;
	readonly isDark?: boolean;
	readonly hasScripts?: boolean;
}

export interface Chromium extends AsyncDisposable {
	newPage(options?: PageOptions): Promise<Page>;
}

const message = z.object({
	id: z.number().optional(),
	sessionId: z.string().optional(),
	method: z.string().optional(),
	params: z.record(z.string(), z.unknown()).default({}),
	result: z.record(z.string(), z.unknown()).default({}),
	error: z.object({ message: z.string() }).optional(),
});
type Message = z.output<typeof message>;

const TIMEOUT_MS = 60_000;

export async function startChromium(): Promise<Chromium> {
	const folder = await tempFolder();
	const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"];
	const quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
	const words = [...flags, ...quiet, `--user-data-dir=${folder.path}`, "--remote-debugging-pipe", "about:blank"];
	const child = spawn(CHROMIUM, words, {
		stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
		env: { ...process.env, HOME: folder.path },
		detached: true,
	});
	const [, , , toBrowser, fromBrowser] = child.stdio;
	if (!(toBrowser instanceof Writable && fromBrowser instanceof Readable)) throw new Error("Chromium has no pipe");
	const waiting = new Map<number, (answer: Message) => void>();
	const listeners = new Map<string, (event: Message) => void>();
	let lastId = 0;
	let rest = "";
	fromBrowser.setEncoding("utf8");
	fromBrowser.on("data", (chunk: string) => {
		const texts = `${rest}${chunk}`.split("\0");
		rest = texts.pop() ?? "";
		for (const text of texts) {
			const told = message.parse(JSON.parse(text));
			if (told.id !== undefined) waiting.get(told.id)?.(told);
			else listeners.get(told.sessionId ?? "")?.(told);
		}
	});

	const command = (method: string, params: object = {}, sessionId?: string): Promise<Message["result"]> =>
		new Promise((resolve, reject) => {
			const id = ++lastId;
			const late = setTimeout(() => reject(new Error(`Chromium did not answer ${method}`)), TIMEOUT_MS);
			waiting.set(id, ({ result, error }) => {
				clearTimeout(late);
				waiting.delete(id);
				if (error === undefined) resolve(result);
				else reject(new Error(`${method}: ${error.message}`));
			});
			toBrowser.write(`${JSON.stringify({ id, method, params, ...(sessionId !== undefined && { sessionId }) })}\0`);
		});

	return {
		async newPage({ width = 1280, height = 900, isDark = false, hasScripts = true } = {}) {
			const { targetId } = await command("Target.createTarget", { url: "about:blank" });
			const session = z.object({ sessionId: z.string() });
			const { sessionId } = session.parse(await command("Target.attachToTarget", { targetId, flatten: true }));
			const tell = (method: string, params: object = {}) => command(method, params, sessionId);
			const asked: string[] = [];
			const complaints: string[] = [];
			let onLoad = () => {};
			listeners.set(sessionId, ({ method, params }) => {
				const text = JSON.stringify(params);
				if (method === "Page.loadEventFired") onLoad();
				if (method === "Network.requestWillBeSent") {
					asked.push(z.object({ request: z.object({ url: z.string() }) }).parse(params).request.url);
				}
				if (method === "Runtime.consoleAPICalled" || method === "Runtime.exceptionThrown") complaints.push(text);
				if (method === "Log.entryAdded") complaints.push(text);
			});
			for (const domain of ["Page", "Network", "Runtime", "Log"]) await tell(`${domain}.enable`);
			await tell("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: width < 700 });
			const scheme = { name: "prefers-color-scheme", value: isDark ? "dark" : "light" };
			await tell("Emulation.setEmulatedMedia", { features: [scheme] });
			if (!hasScripts) await tell("Emulation.setScriptExecutionDisabled", { value: true });
			return {
				asked,
				complaints,
				async open(url) {
					const loaded = new Promise<void>((resolve) => {
						onLoad = resolve;
					});
					await tell("Page.navigate", { url });
					await loaded;
				},
				async evaluate(expression) {
					const answer = await tell("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
					return z.object({ result: z.object({ value: z.unknown() }) }).parse(answer).result.value;
				},
				async press(key) {
					const text = key.length === 1 ? { text: key } : {};
					await tell("Input.dispatchKeyEvent", { type: "keyDown", key, ...text });
					await tell("Input.dispatchKeyEvent", { type: "keyUp", key });
				},
				async type(text) {
					await tell("Input.insertText", { text });
				},
				async screenshot(isWhole = false) {
					const { data } = z
						.object({ data: z.string() })
						.parse(await tell("Page.captureScreenshot", { format: "png", captureBeyondViewport: isWhole }));
					return Buffer.from(data, "base64");
				},
			};
		},
		async [Symbol.asyncDispose]() {
			if (child.exitCode === null && child.signalCode === null) {
				const ended = once(child, "exit");
				toBrowser.write(`${JSON.stringify({ id: ++lastId, method: "Browser.close" })}\0`);
				// with all processes that it started
				const late = setTimeout(() => child.pid !== undefined && process.kill(-child.pid, "SIGKILL"), 10_000);
				await ended;
				clearTimeout(late);
			}
			await folder[Symbol.asyncDispose]();
		},
	};
}
