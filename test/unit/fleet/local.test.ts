import { describe } from "vitest";
import { createLocalRegistry } from "../../../src/fleet/local.js";
import { registryContract } from "../../registry-contract.js";

describe("the registry in memory", () => {
	registryContract(async () => {
		const registry = createLocalRegistry();
		return { join: async (options) => registry.join(options), close: async () => {} };
	});
});
