/** What doctor says of a HAProxy: its sockets, whether it loads the output, and whether another one takes its connections. */

import type { ProxyConfig } from "../../config/schema.js";
import type { Finding } from "../finding.js";
import { loadedFinding, willLoadFindings } from "./haproxy-loaded.js";
import { portsFindings } from "./haproxy-ports.js";
import { findRunning } from "./haproxy-running.js";
import { askMaster, askRuntime } from "./haproxy-sockets.js";
import type { Host } from "./host.js";

/** @param about the name of a finding */
export async function haproxyFindings(
	proxy: ProxyConfig,
	{ user, listeners }: Host,
	about: (what: string) => string,
): Promise<Finding[]> {
	const { runtimeSocket, masterSocket, mode, output } = proxy;
	const asked = [await askRuntime(about("runtime socket"), runtimeSocket, mode, user)];
	if (masterSocket !== undefined) asked.push(await askMaster(about("master socket"), masterSocket, user));
	const findings = asked.map(({ finding }) => finding);
	const worker = asked.find((one) => one.worker !== undefined)?.worker;
	if (worker === undefined) {
		const isDown = asked.some((one) => one.isDown);
		// Who only observes writes nothing that it could load.
		return isDown && mode === "apply" ? [...findings, ...(await willLoadFindings(about("loaded"), output))] : findings;
	}
	const running = findRunning(worker);
	if (mode === "apply") findings.push(await loadedFinding(about("loaded"), output, running));
	if (running.state === "found") findings.push(...portsFindings(about("ports"), running, listeners));
	return findings;
}
