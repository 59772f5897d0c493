/** `solistend doctor`: what this host has and lacks, each with its mend. Changes nothing. */

import { type HttpAddress, isLocalOnly } from "../config/http-address.js";
import { loadConfig } from "../config/load.js";
import { formatProblem } from "../config/problem.js";
import { messageOf } from "../errors.js";
import { hostPort } from "../ip.js";
import type { Listener } from "../listeners/event.js";
import { HOOK_NAMES, HOOKS, type Hooks } from "../sensor/hooks.js";
import { openKernel, PACKAGED_OBJECT } from "../sensor/kernel.js";
import { libbpfVersion } from "../sensor/libbpf.js";
import { checkRequirements } from "../sensor/preflight.js";
import { findDaemonUser } from "./doctor/daemon-user.js";
import type { Host } from "./doctor/host.js";
import { procFinding } from "./doctor/proc-finding.js";
import { proxyFindings } from "./doctor/proxy-finding.js";
import { deniedTo } from "./doctor/socket-finding.js";
import { engineFinding } from "./engine-finding.js";
import type { Finding } from "./finding.js";
import { fleetFindings } from "./fleet-finding.js";
import { colour, printLine } from "./output.js";

export interface DoctorOptions {
	readonly json: boolean;
	readonly config: string;
}

/** Exit code 1 when something failed. */
export async function doctor({ json, config }: DoctorOptions): Promise<number> {
	const user = await findDaemonUser();
	const { listeners, findings: ofSensor } = sensorFindings();
	const findings = [...ofSensor, procFinding(user), ...(await configFindings(config, { user, listeners }))];
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

/** Each requirement, then whether the kernel really takes the programs; what listens, where it does. */
function sensorFindings(): { findings: Finding[]; listeners?: readonly Listener[] } {
	const findings = checkRequirements(PACKAGED_OBJECT).map(({ name, problem }): Finding => failure(name, problem));
	findings.push(attempt("libbpf", () => libbpfVersion()));
	if (findings.some(({ state }) => state === "failed")) return { findings };
	let listeners: readonly Listener[] | undefined;
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
		[
			"hook iter/bpf_map_elem",
			() => {
				listeners = kernel?.read().rows;
				return `read: ${listeners?.length} sockets listen now`;
			},
		],
	];
	try {
		for (const [name, action] of hooks) {
			const finding = attempt(name, action);
			findings.push(finding);
			if (finding.state === "failed") return { findings };
		}
		if (kernel !== undefined) findings.push(...hookFindings(kernel.hooks()));
	} finally {
		kernel?.close();
	}
	return { findings, ...(listeners && { listeners }) };
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

async function configFindings(file: string, host: Host): Promise<Finding[]> {
	const loaded = await loadConfig(file);
	if (!loaded.ok) {
		return loaded.problems.map((problem) => ({
			name: "configuration",
			state: "failed",
			detail: formatProblem(problem),
		}));
	}
	const { user } = host;
	const { proxies, discovery, admin } = loaded.config;
	const [unread, engine, fleet, ...perProxy] = await Promise.all([
		deniedTo(user, "configuration", file, "it does not start", { right: "read" }),
		engineFinding(discovery.docker, user),
		fleetFindings(loaded.config),
		...proxies.map((proxy) => proxyFindings(proxy, host)),
	]);
	return [
		unread ?? { name: "configuration", state: "ok", detail: file },
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
