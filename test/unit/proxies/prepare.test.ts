import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { prepareProxy } from "../../../src/proxies/prepare.js";
import { proxyConfig, web } from "../../desired.js";

const PACKAGED = [fileURLToPath(new URL("../../../templates", import.meta.url))];

let folder: string;
let output: string;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "solistend-prepare-"));
	output = join(folder, "edge", "haproxy.cfg");
});
afterEach(() => rm(folder, { recursive: true }));

describe("before a proxy starts", () => {
	test("its file is made, with the services and nobody in them", async () => {
		expect(await prepareProxy(proxyConfig({ output }), "h", PACKAGED, web())).toBe("made");
		const text = await readFile(output, "utf8");
		expect(text).toContain("\nbackend web\n");
		expect(text.match(/^\tserver /gm)?.length).toBe(text.match(/ disabled$/gm)?.length);
	});

	test("HAProxy's file names nobody from before, and keeps all else", async () => {
		const proxy = proxyConfig({ output });
		await prepareProxy(proxy, "h", PACKAGED, web());
		const made = await readFile(output, "utf8");
		await writeFile(output, made.replace("127.0.0.1:1 weight 100 disabled", "10.0.0.1:80 weight 100"));
		expect(await prepareProxy(proxy, "h", PACKAGED, web())).toBe("disabled");
		expect(await readFile(output, "utf8")).toBe(
			made.replace("127.0.0.1:1 weight 100 disabled", "10.0.0.1:80 weight 100 disabled"),
		);
		expect(await prepareProxy(proxy, "h", PACKAGED, web())).toBe("untouched");
	});

	test("Nginx's file is made where there is none, and names nobody from before", async () => {
		const proxy = proxyConfig({ type: "nginx", output, pidFile: join(folder, "nginx.pid") });
		expect(await prepareProxy(proxy, "h", PACKAGED, web())).toBe("made");
		expect(await prepareProxy(proxy, "h", PACKAGED, web())).toBe("untouched");
		await writeFile(output, "upstream web {\n\tserver 10.0.0.1:80;\n}\n");
		expect(await prepareProxy(proxy, "h", PACKAGED, web())).toBe("disabled");
		expect(await readFile(output, "utf8")).toBe("upstream web {\n\tserver 10.0.0.1:80 down;\n}\n");
		expect(await prepareProxy(proxy, "h", PACKAGED, web())).toBe("untouched");
	});

	test("any other program's file stays as it is", async () => {
		const proxy = proxyConfig({ type: "file", template: "traefik.yml.hbs", output });
		expect(await prepareProxy(proxy, "h", PACKAGED, web())).toBe("made");
		const made = await readFile(output, "utf8");
		expect(await prepareProxy(proxy, "h", PACKAGED, web())).toBe("untouched");
		expect(await readFile(output, "utf8")).toBe(made);
	});
});
