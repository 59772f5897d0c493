/** Applications that are measured (native/app.c) in containers of a real engine. Knows nothing of what looks on. */

import type { ContainerEngine, RunningContainer } from "../../host/container-engine.js";
import { eventually } from "../../host/eventually.js";
import { native } from "./native.js";

/** Where it listens. */
export const PORT = 80;

export interface MeasuredContainer extends RunningContainer {
	/** The time just before it called listen(), in milliseconds of CLOCK_MONOTONIC. Resolves when it has. */
	listened(): Promise<number>;
}

/**
 * `docker run` of one in the service `web` by label. Resolves when it runs.
 *
 * @param bootSeconds until it listens; 0: at once
 */
export async function runContainer(engine: ContainerEngine, name: string, bootSeconds = 0): Promise<MeasuredContainer> {
	const told = bootSeconds > 0 ? `sleep ${bootSeconds}; echo listen` : "echo listen";
	const container = await engine.run({
		name,
		labels: { "solisten.service": "web" },
		options: ["--volume", `${await native("app")}:/app:ro`],
		// It ends with its standard input.
		command: ["sh", "-c", `(${told}; exec sleep 1000) | exec /app ${name} 0.0.0.0 ${PORT} 1 0 exit`],
	});
	return {
		...container,
		async listened() {
			const ns = await eventually(`${name} listens`, async () => {
				return /^listen (\d+) /m.exec(await engine.exec("logs", container.id))?.[1];
			});
			return Number(ns) / 1e6;
		},
	};
}
