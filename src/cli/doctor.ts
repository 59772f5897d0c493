/** `solistend doctor`: what this host has and lacks, each with its mend. Changes nothing. */

import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { type HttpAddress, isLocalOnly } from "../config/http-address.js";
import { loadConfig } from "../config/load.js";
import { formatProblem } from "../config/problem.js";
import type { ProxyConfig } from "../config/schema.js";
import { messageOf } from "../errors.js";
import { hostPort } from "../ip.js";
import { requireRootOnly } from "../proxies/apply/root-only.js";
import { askProcesses } from "../proxies/haproxy/master.js";
import { askSocket, parseInfo } from "../proxies/haproxy/runtime-api.js";
import { readMaster } from "../proxies/nginx/master.js";
import { HOOK_NAMES, HOOKS, type Hooks } from "../sensor/hooks.js";
import { openKernel, PACKAGED_OBJECT } from "../sensor/kernel.js";
import { libbpfVersion } from "../sensor/libbpf.js";
import { checkRequirements } from "../sensor/preflight.js";
import { engineFinding } from "./engine-finding.js";
import type { Finding } from "./finding.js";
import { fleetFindings } from "./fleet-finding.js";
import { colour, printLine } from "./output.js";

export interface DoctorOptions {
	readonly json: boolean;
	readonly config: string;
}

const SOCKET_TIMEOUT_MS = 2000;

/** Exit code 1 when something failed. */
export async function doctor({ json, config }: DoctorOptions): Promise<number> {
	const findings = [...sensorFindings(), ...(await configFindings(config))];
	if (json) printLine(JSON.stringify(findings, null, 2));
	else for (const finding of findings) printLine(line(finding));
	return findings.some(({ state }) => state === "failed") ? 1 : 0;
}

function line({ name, state, detail }: Finding): string {
	const mark = {
		ok: colour("green", "ok      "),
		degraded: colour("yellow", "degraded"),
		failed: colour("red", "failed  "),
	};
	return `${mark[state]}  ${name}${detail === "" ? "" : `: ${detail}`}`;
}

/** Each requirement, then whether the kernel really takes the programs. */
function sensorFindings(): Finding[] {
	const findings = checkRequirements(PACKAGED_OBJECT).map(({ name, problem }): Finding => failure(name, problem));
	findings.push(attempt("libbpf", () => libbpfVersion()));
	if (findings.some(({ state }) => state === "failed")) return findings;
	let kernel: ReturnType<typeof openKernel> | undefined;
	const hooks: readonly (readonly [string, () => string])[] = [
		[
			"BPF programs",
			() => {
				kernel = openKernel();
				return "loaded";
			},
		],
		[
			"hook tp_btf/inet_sock_set_state",
			() => {
				kernel?.attach();
				return "attached: open and close";
			},
		],
		[
			"hook iter/task_file",
			() => {
				kernel?.seed();
				return "walked: what listened before";
			},
		],
		["hook iter/bpf_map_elem", () => `read: ${kernel?.read().rows.length} sockets listen now`],
	];
	try {
		for (const [name, action] of hooks) {
			const finding = attempt(name, action);
			findings.push(finding);
			if (finding.state === "failed") return findings;
		}
		if (kernel !== undefined) findings.push(...hookFindings(kernel.hooks()));
	} finally {
		kernel?.close();
	}
	return findings;
}

/** One for each optional hook. What only sees something later, without it, is no failure. */
function hookFindings(hooks: Hooks): Finding[] {
	return HOOK_NAMES.map((hookName): Finding => {
		const hook = hooks[hookName];
		const { gives, lack, ways } = HOOKS[hookName];
		const name = `hook ${ways[0].place}`;
		if (hook.state === "available") {
			return { name, state: "ok", detail: `${hook.by === ways[0].place ? "" : `by ${hook.by}: `}${gives}` };
		}
		return { name, state: "degraded", detail: `${hook.state}: ${hook.why} (${lack})` };
	});
}

async function configFindings(file: string): Promise<Finding[]> {
	const loaded = await loadConfig(file);
	if (!loaded.ok) {
		return loaded.problems.map((problem) => ({
			name: "configuration",
			state: "failed",
			detail: formatProblem(problem),
		}));
	}
	const { proxies, discovery, admin } = loaded.config;
	const [engine, fleet, ...perProxy] = await Promise.all([
		engineFinding(discovery.docker),
		fleetFindings(loaded.config),
		...proxies.map(proxyFindings),
	]);
	return [
		{ name: "configuration", state: "ok", detail: file },
		...pageFinding(admin.http),
		engine,
		...fleet,
		...perProxy.flat(),
	];
}

/** None where there is no page. */
function pageFinding(http: HttpAddress | undefined): Finding[] {
	if (http === undefined) return [];
	const place = `http://${hostPort(http.address, http.port)}/`;
	if (isLocalOnly(http)) return [{ name: "status page", state: "ok", detail: `${place}, for users of this host` }];
	const mend = "name 127.0.0.1, and let a proxy that asks for a password pass it on; or let a firewall say who may";
	const detail = `${place} is open to whoever reaches that address, and asks nobody who they are (${mend})`;
	return [{ name: "status page", state: "degraded", detail }];
}

async function proxyFindings(proxy: ProxyConfig): Promise<Finding[]> {
	const { name, mode, output, apply, check, reload, runtimeSocket, masterSocket } = proxy;
	const about = (what: string) => `proxy ${name}: ${what}`;
	// Who only observes writes nothing.
	const outputFindingOf = apply === "unit" ? rootOutputFinding : outputFinding;
	const findings = mode === "observe" ? [] : [await outputFindingOf(about("output"), output)];
	for (const [what, program] of [
		["check", check?.[0]],
		["reload", reload?.[0]],
	] as const) {
		if (program !== undefined) findings.push(await programFinding(about(what), program));
	}
	if (check === undefined && proxy.type !== "file") {
		findings.push({
			name: about("check"),
			state: "degraded",
			detail: "none is configured: a bad file is noticed only when the reload fails",
		});
	}
	switch (proxy.type) {
		case "haproxy":
			findings.push(await runtimeFinding(about("runtime socket"), runtimeSocket, mode));
			if (masterSocket !== undefined) findings.push(await masterFinding(about("master socket"), masterSocket));
			break;
		case "nginx":
			findings.push(await pidFileFinding(about("pid file"), proxy.pidFile));
			break;
		case "file":
			break;
		default:
			proxy.type satisfies never;
	}
	return findings;
}

async function outputFinding(name: string, output: string): Promise<Finding> {
	const folder = dirname(output);
	try {
		await access(folder, constants.W_OK);
		return { name, state: "ok", detail: output };
	} catch {
		const exists = await stat(folder).then(
			(found) => found.isDirectory(),
			() => false,
		);
		const mend = exists ? "is not writable (give this user the right, or choose another)" : "does not exist (make it)";
		return { name, state: "failed", detail: `the folder ${folder} ${mend}` };
	}
}

/** With `apply: unit`, root writes only where nobody else does. */
async function rootOutputFinding(name: string, output: string): Promise<Finding> {
	try {
		await requireRootOnly(output, "the output");
		return { name, state: "ok", detail: `${output}, by root` };
	} catch (error) {
		return { name, state: "failed", detail: messageOf(error) };
	}
}

/** Looks where execvp(3) would. */
async function programFinding(name: string, program: string): Promise<Finding> {
	const candidates = program.includes("/")
		? [program]
		: (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, program));
	for (const candidate of candidates) {
		if (
			await access(candidate, constants.X_OK).then(
				() => true,
				() => false,
			)
		)
			return { name, state: "ok", detail: candidate };
	}
	return {
		name,
		state: "failed",
		detail: `${program} is not installed, or not in PATH (install it, or write its path)`,
	};
}

async function runtimeFinding(name: string, socket: string | undefined, mode: ProxyConfig["mode"]): Promise<Finding> {
	if (socket === undefined) {
		const detail =
			"none is configured: every change takes a reload, and what is live can't be compared (add runtimeSocket)";
		return { name, state: "degraded", detail };
	}
	const answer = await askSocket({
		socket,
		command: "show info;show cli level",
		timeoutMs: SOCKET_TIMEOUT_MS,
		signal: new AbortController().signal,
	});
	if (!answer.ok) return { name, state: "degraded", detail: answer.why };
	const [info = "", level = ""] = answer.text.split("\n\n");
	const shown = attempt(name, () => `HAProxy ${parseInfo(info).version}`);
	// "user" or "operator" otherwise (HAProxy 1.8 and later). Who only observes gives no commands.
	if (shown.state !== "ok" || mode === "observe" || level === "admin") return shown;
	const mend = `let the line in HAProxy's configuration say: stats socket ${socket} level admin`;
	return {
		name,
		state: "failed",
		detail: `${shown.detail} takes no commands at ${socket}: its level is ${level} (${mend})`,
	};
}

async function masterFinding(name: string, socket: string): Promise<Finding> {
	const answer = await askProcesses({ socket, timeoutMs: SOCKET_TIMEOUT_MS, signal: new AbortController().signal });
	return answer.ok ? { name, state: "ok", detail: socket } : { name, state: "degraded", detail: answer.why };
}

async function pidFileFinding(name: string, pidFile: string | undefined): Promise<Finding> {
	try {
		const master = await readMaster(pidFile);
		if (master.state === "running") return { name, state: "ok", detail: `Nginx's master is process ${master.pid}` };
		const detail = "none is configured: whether a reload worked can't be told (add pidFile)";
		return { name, state: "degraded", detail: master.state === "down" ? master.why : detail };
	} catch (error) {
		return { name, state: "failed", detail: messageOf(error) };
	}
}

function failure(name: string, problem: Error | undefined): Finding {
	return problem === undefined ? { name, state: "ok", detail: "" } : { name, state: "failed", detail: problem.message };
}

/** What `action` tells, or why it failed. */
function attempt(name: string, action: () => string): Finding {
	try {
		return { name, state: "ok", detail: action() };
	} catch (error) {
		return { name, state: "failed", detail: messageOf(error) };
	}
}
