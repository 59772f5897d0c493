/** What doctor says of an Nginx: its master, and whether its configuration reaches the output. */

import { realpath } from "node:fs/promises";
import type { ProxyConfig } from "../../config/schema.js";
import { messageOf } from "../../errors.js";
import { readMaster } from "../../proxies/nginx/master.js";
import type { Finding } from "../finding.js";
import { commandOf, linkOf, placeOf } from "./processes.js";

/** A large configuration with many certificates takes a second or two to be read. */
const DUMP_TIMEOUT_MS = 20_000;

/** @param about the name of a finding */
export async function nginxFindings(
	{ pidFile, output, mode }: ProxyConfig,
	about: (what: string) => string,
): Promise<Finding[]> {
	const name = about("pid file");
	try {
		const master = await readMaster(pidFile);
		if (master.state !== "running") {
			const detail = "none is configured: whether a reload worked can't be told (add pidFile)";
			return [{ name, state: "degraded", detail: master.state === "down" ? master.why : detail }];
		}
		const running: Finding = { name, state: "ok", detail: `Nginx's master is process ${master.pid}` };
		// Who only observes writes nothing that it could load.
		return mode === "observe" ? [running] : [running, await loadedFinding(about("loaded"), output, master.pid)];
	} catch (error) {
		return [{ name, state: "failed", detail: messageOf(error) }];
	}
}

/** Nginx itself says which files it reads; it may be asked only by who may read all of them, its keys and logs too. */
async function loadedFinding(name: string, output: string, pid: number): Promise<Finding> {
	const unknown = (why: string): Finding => ({ name, state: "ok", detail: `not known: ${why}` });
	if (process.geteuid?.() !== 0) return unknown("only root may ask Nginx, by nginx -T (run doctor as root)");
	if (placeOf(pid).container !== undefined) return unknown("it runs in a container, with files of its own");
	const found = await realpath(output).catch(() => undefined);
	if (found === undefined)
		return unknown(`there is no ${output} yet (run doctor again once the daemon has written it)`);
	const program = linkOf(pid, "exe") ?? "nginx";
	const options = optionsOf(commandOf(pid).join(" "));
	const { execa } = await import("execa");
	const { stdout, stderr, failed } = await execa(program, ["-T", "-q", ...options], {
		reject: false,
		stdin: "ignore",
		timeout: DUMP_TIMEOUT_MS,
	});
	const command = ["nginx -T", ...options].join(" ");
	if (failed) return unknown(`${command} says ${stderr.trim().split("\n")[0] || "nothing"}`);
	const files = dumpedFiles(stdout);
	const real = await Promise.all(files.map((file) => realpath(file).catch(() => file)));
	if (real.includes(found)) return { name, state: "ok", detail: `${files[0]} reaches ${output}` };
	const why = "what is written there is not served, however often Nginx is reloaded";
	const mend = `write include ${output}; into the http block of ${files[0]}; nginx -s reload`;
	return {
		name,
		state: "failed",
		detail: `${files[0]} and what it includes does not reach ${output}: ${why} (${mend})`,
	};
}

/**
 * What the master was started with that says which files it reads, and what else holds for all of them. Nginx puts its
 * command line into its title, without quotes. Pure.
 */
export function optionsOf(title: string): string[] {
	return [...title.matchAll(/ (-[cepg]) ?(.+?)(?= -[A-Za-z]|$)/g)].flatMap(([, option = "", value = ""]) => [
		option,
		value,
	]);
}

/** The files that `nginx -T` printed, each once, its own first. Pure. */
export function dumpedFiles(text: string): string[] {
	return [...new Set([...text.matchAll(/^# configuration file (.+):$/gm)].map(([, file = ""]) => file))];
}
