/** What the port of the status page answers to a browser: the page, made anew each time, and the files that it loads. */

import { readFile } from "node:fs/promises";
import { packaged } from "../../root.js";
import type { DaemonView } from "../view.js";
import { pageOf } from "./page.js";

/** The files beside this one, by the path that asks for them. No other path leads to a file. */
const FILES = {
	"/page.css": { file: "page.css", type: "text/css; charset=utf-8" },
	"/page.js": { file: "browser.js", type: "text/javascript; charset=utf-8" },
	"/icon.svg": { file: "icon.svg", type: "image/svg+xml" },
} as const;

/** Nothing but what this port serves is loaded, whatever a name that is shown may hold. */
const POLICY = [
	"default-src 'none'",
	"script-src 'self'",
	"style-src 'self'",
	"img-src 'self'",
	"connect-src 'self'",
	"form-action 'self'",
	"base-uri 'none'",
	"frame-ancestors 'none'",
].join("; ");

export interface PageAnswer {
	readonly status: number;
	readonly body: string;
	readonly type: string;
	readonly headers: Readonly<Record<string, string>>;
}

export async function pageAnswer(path: string, view: DaemonView, query: URLSearchParams): Promise<PageAnswer> {
	const headers = { "content-security-policy": POLICY };
	if (isFile(path)) {
		const { file, type } = FILES[path];
		return { status: 200, body: await readFile(packaged(`dist/page/${file}`), "utf8"), type, headers };
	}
	const body = pageOf(view.status(), view.timeline(), {
		nowMs: Date.now(),
		search: query.get("q") ?? "",
		isOddOnly: query.get("odd") === "1",
		service: query.get("service") ?? "",
	});
	return { status: 200, body, type: "text/html; charset=utf-8", headers };
}

const isFile = (path: string): path is keyof typeof FILES => Object.hasOwn(FILES, path);
