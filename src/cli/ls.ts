/** `solistend ls`: everything that listens now, in every namespace, with who, where and why. Needs no daemon. */

import { existsSync } from "node:fs";
import type { Verdict } from "../backends/judge.js";
import { configSchema } from "../config/schema.js";
import { endpointJson, whoIs } from "../listener-json.js";
import type { JudgedListener } from "../pipeline.js";
import { requireConfig } from "./config.js";
import { colour, jsonText, printLine, table } from "./output.js";
import { takeSnapshot } from "./snapshot.js";

export interface LsOptions {
	readonly json: boolean;
	/** Default: the usual place, where there is one. */
	readonly config: string;
	readonly isConfigGiven: boolean;
}

export async function ls({ json, config: file, isConfigGiven }: LsOptions): Promise<number> {
	// Without a configuration `ls` is still of use: it shows what listens, and that no service is configured.
	const config = isConfigGiven || existsSync(file) ? (await requireConfig(file)).config : configSchema.parse({});
	const { listeners } = await takeSnapshot(config);
	// by which address this host reaches Redis is known to the daemon alone
	const isTold = (config.fleet?.advertise.length ?? 0) > 0;
	const sorted = listeners.map((one) => (isTold ? one : { ...one, elsewhere: undefined })).sort(byPlace);
	if (json) {
		printLine(jsonText(sorted.map(endpointJson), 2));
		return 0;
	}
	const rows = sorted.map(({ endpoint, resolved: { identity }, verdict, elsewhere }) => [
		identity.netnsName ?? String(identity.netnsInode),
		endpoint.address,
		String(endpoint.port),
		endpoint.sockets[0].protocol,
		String(Math.max(...endpoint.sockets.map(({ backlog }) => backlog))),
		endpoint.sockets.length === 1 ? "1" : String(endpoint.sockets.length),
		String(endpoint.sockets[0].pid),
		identity.comm,
		whoIs(identity),
		`${describe(verdict)}${elsewhere?.ok === false ? `; ${elsewhere.why}` : ""}`,
	]);
	const right = (title: string) => ({ title, align: "right" as const });
	const titles = ["NETNS", "ADDRESS", right("PORT"), "PROTO", right("BACKLOG"), right("SOCKETS"), right("PID"), "COMM"];
	const [head = "", ...lines] = table([...titles, "CONTAINER/UNIT/HOSTNAME", "VERDICT"], rows);
	printLine(colour("bold", head));
	for (const line of lines) printLine(line);
	return 0;
}

/** A verdict in a few words. */
function describe(verdict: Verdict): string {
	if (verdict.state !== "in") return `${verdict.state}: ${verdict.why}`;
	const places = verdict.places.map(({ service, backend, state, why }) => {
		const remark = state === undefined ? "" : ` (${state}: ${why})`;
		return `${service} as ${backend}${remark}`;
	});
	return `in ${places.join(", ")}`;
}

function byPlace(a: JudgedListener, b: JudgedListener): number {
	const place = ({ resolved: { identity, isHost }, endpoint }: JudgedListener) =>
		[
			isHost ? "0" : `1${identity.netnsName ?? identity.netnsInode}`,
			String(endpoint.port).padStart(5, "0"),
			endpoint.address,
		].join("|");
	return place(a) < place(b) ? -1 : 1;
}
