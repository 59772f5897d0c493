import { execa } from "execa";
import { expect, test } from "vitest";
import { startRedis } from "../../host/redis.js";

/** Opens a member in a process of its own, and tells whether ioredis came with it, and how the registry is. */
async function opened(config: string): Promise<string> {
	const code = `
		import { createRequire } from "node:module";
		import { openMember } from "./build/fleet/open.js";
		import { configSchema } from "./build/config/schema.js";
		const { fleet } = configSchema.parse(${config});
		let told;
		const up = new Promise((resolve) => { told = resolve; });
		const member = await openMember(fleet, {
			host: "a", zone: undefined, lease: 10_000, publish: true, subscribe: true,
			onChange() {}, onComplete: told, onState() {}, now: () => performance.now(),
		});
		await up;
		const loaded = Object.keys(createRequire(import.meta.url).cache).some((file) => file.includes("/ioredis/"));
		console.log(loaded ? "with" : "without", member.status().registry.state);
		await member.close();
	`;
	const { stdout } = await execa("node", ["--input-type=module", "-e", code]);
	return stdout;
}

test("ioredis is loaded where a fleet is configured, and a member that is closed leaves nothing that keeps a process", async () => {
	await using redis = await startRedis();
	expect(await opened("{}")).toBe("without up");
	expect(await opened(JSON.stringify({ fleet: { redis: redis.url } }))).toMatch(/^with (up|frozen)$/);
});
