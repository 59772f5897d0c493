/** What a HAProxy is: how often it was loaded, which process serves. */

import { askSocket, parseInfo } from "../../../src/proxies/haproxy/runtime-api.js";
import type { Haproxy } from "../../host/haproxy.js";

/** Workers that its master has started: one at the start, one more for each reload. */
export const workersStarted = ({ log }: Haproxy): number => (log().match(/New worker/g) ?? []).length;

/** What its Runtime API answers. */
export async function askHaproxy(socket: string, command: string): Promise<string> {
	const answer = await askSocket({ socket, command, timeoutMs: 10_000, signal: new AbortController().signal });
	if (!answer.ok) throw new Error(answer.why);
	return answer.text;
}

/** How often it had to try anew to connect to a server of a backend, since its last load: column `wretr` of its statistics. */
export async function retriesOf(socket: string, backend: string): Promise<number> {
	const [names, values] = (await askHaproxy(socket, `show stat ${backend} 2 -1`)).split("\n");
	return Number(values?.split(",")[names?.split(",").indexOf("wretr") ?? -1]);
}

/** The process that serves now. */
export const workerPid = async (socket: string): Promise<number> =>
	parseInfo(await askHaproxy(socket, "show info")).pid;
