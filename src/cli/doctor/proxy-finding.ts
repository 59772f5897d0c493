/** What doctor says of a proxy: its output, its commands, and all that its program has. */

import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { ProxyConfig } from "../../config/schema.js";
import type { Finding } from "../finding.js";
import { applyUnitFindings } from "./apply-unit-finding.js";
import { haproxyFindings } from "./haproxy-finding.js";
import type { Host } from "./host.js";
import { nginxFindings } from "./nginx-finding.js";
import { outputFinding } from "./output-finding.js";

export async function proxyFindings(proxy: ProxyConfig, host: Host): Promise<Finding[]> {
	const { name, mode, output, apply, check, reload } = proxy;
	const about = (what: string) => `proxy ${name}: ${what}`;
	// Who only observes writes nothing.
	const writer = apply === "unit" ? "root" : host.user;
	const findings = mode === "observe" ? [] : [await outputFinding(about("output"), output, writer)];
	for (const [what, program] of [
		["check", check?.[0]],
		["reload", reload?.[0]],
	] as const) {
		if (program !== undefined) findings.push(await programFinding(about(what), program));
	}
	if (apply === "unit" && mode === "apply") findings.push(...(await applyUnitFindings(about("unit"), name, host.user)));
	if (check === undefined && proxy.type !== "file") {
		findings.push({
			name: about("check"),
			state: "degraded",
			detail: "none is configured: a bad file is noticed only when the reload fails",
		});
	}
	switch (proxy.type) {
		case "haproxy":
			findings.push(...(await haproxyFindings(proxy, host, about)));
			break;
		case "nginx":
			findings.push(...(await nginxFindings(proxy, about)));
			break;
		case "file":
			break;
		default:
			proxy.type satisfies never;
	}
	return findings;
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
