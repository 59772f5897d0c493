/**
 * What each stage has when a round misses: asked at once, kept in a file, and in one sentence for each place. Changes
 * nothing.
 */

import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask } from "../../../src/cli/ask.js";
import { daemonStatus } from "../../../src/cli/status-schema.js";
import { messageOf } from "../../../src/errors.js";
import { FIELDS, keysOf } from "../../../src/fleet/redis/keys.js";
import { runtime } from "../../host/operator.js";
import type { Scene } from "./faults.js";
import { stageOf, type Told } from "./stages.js";

const KEYS = keysOf("default");

/** @returns for each place the stage that lost it, and last where all of it is written */
export async function evidenceOf(
	{ fleet, hosts, edge }: Scene,
	places: readonly { readonly place: string; readonly listens: boolean }[],
): Promise<readonly string[]> {
	const { redis } = fleet;
	const statusOf = async (socket: string) => (await ask(socket, "GET", "/v1/status")).body;
	const [edgeStatus, servers, stream, leases, ...ofHosts] = await Promise.all([
		orWhy(statusOf(fleet.edge.socket)),
		orWhy(runtime(fleet.edge, "show info;show servers state")),
		orWhy(redis.cli("XREVRANGE", KEYS.changes, "+", "-", "COUNT", "50")),
		orWhy(redis.cli("ZRANGE", KEYS.leases, "0", "-1", "WITHSCORES")),
		...hosts.map(async ({ host: { name, netns, socket }, log }) => ({
			name,
			log,
			address: netns.address,
			status: await orWhy(statusOf(socket)),
			hash: await orWhy(redis.cli("HGETALL", KEYS.host(name))),
		})),
	]);
	const words = places.map(({ place, listens }) => {
		const of = ofHosts.find(({ address }) => place.startsWith(`${address}:`));
		if (of === undefined) return `${place} is no host's`;
		const { name, status, hash } = of;
		const stages = {
			host: daemonStatus.safeParse(status).data,
			redis: toldOf(hash),
			edge: daemonStatus.safeParse(edgeStatus).data,
		};
		return `${place} ${listens ? "was lost" : "is left"} by ${stageOf(name, place, listens, stages)}`;
	});
	const file = join(await mkdtemp(join(tmpdir(), "solistend-missed-")), "evidence.json");
	const all = { at: new Date(), places, words, edgeStatus, servers, stream, leases, ofHosts, log: edge.lines };
	await writeFile(file, JSON.stringify(all, undefined, "\t"));
	return [...words, `what each stage had is in ${file}`];
}

/** What is asked for, or why there is none. */
const orWhy = (answer: Promise<unknown>): Promise<unknown> => answer.catch((error: unknown) => messageOf(error));

/** @param hash what redis-cli prints of it: name and value by turns, a line each */
function toldOf(hash: unknown): Told | undefined {
	if (typeof hash !== "string") return undefined;
	const lines = hash.split("\n");
	const fields = new Map(lines.flatMap((name, at) => (at % 2 === 0 ? [[name, lines[at + 1] ?? ""]] : [])));
	const [incarnation, sequence] = [fields.get(FIELDS.incarnation), fields.get(FIELDS.sequence)];
	return {
		version: incarnation === undefined ? "" : `${incarnation}:${sequence}`,
		places: [...fields.keys()].filter((name) => !name.startsWith("@")).map((key) => key.slice(key.indexOf("|") + 1)),
	};
}
