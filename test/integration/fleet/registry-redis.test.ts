import { afterAll, beforeAll, describe } from "vitest";
import { configSchema } from "../../../src/config/schema.js";
import { openRedisMember } from "../../../src/fleet/redis/member.js";
import { type RedisServer, startRedis } from "../../host/redis.js";
import { registryContract } from "../../registry-contract.js";

describe("the registry in Redis", () => {
	let redis: RedisServer;
	beforeAll(async () => {
		redis = await startRedis();
	});
	afterAll(() => redis.close());

	let clusters = 0;
	registryContract(async () => {
		const { fleet } = configSchema.parse({ fleet: { redis: redis.url, cluster: `c${++clusters}` } });
		if (fleet === undefined) throw new Error("no fleet");
		let start = 0;
		return {
			join: async (options) => openRedisMember(fleet, options, { boot: "boot", machine: "machine", start: ++start }),
			close: async () => {},
		};
	});
});
