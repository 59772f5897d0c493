import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SolistendError } from "../../../src/errors.js";
import { templateContext } from "../../../src/proxies/context.js";
import { loadTemplate } from "../../../src/proxies/render.js";
import { backend, proxyConfig, service } from "../../desired.js";

let folder: string;
let packaged: string;

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "solistend-templates-"));
	packaged = join(folder, "packaged");
	await mkdir(packaged);
});

afterAll(() => rm(folder, { recursive: true }));

const context = templateContext(proxyConfig(), "edge-1", [
	service("web", [backend("web", "10.0.0.1")], { options: { weight: 5 } }),
]);

async function render(text: string): Promise<string> {
	const file = join(folder, "t.hbs");
	await writeFile(file, text);
	return (await loadTemplate(file, [])).render(context);
}

/** The message, without the folder. */
async function errorOf(work: Promise<unknown>): Promise<string> {
	const error = await work.then(
		() => undefined,
		(reason: unknown) => reason,
	);
	expect(error).toBeInstanceOf(SolistendError);
	expect(error).toMatchObject({ code: "config" });
	return error instanceof Error ? error.message.replaceAll(`${folder}/`, "") : "";
}

describe("a template is found", () => {
	test("in the first folder that has it", async () => {
		await writeFile(join(packaged, "a.hbs"), "packaged {{host}}");
		const both = [folder, packaged];
		expect((await loadTemplate("a.hbs", both)).file).toBe(join(packaged, "a.hbs"));
		await writeFile(join(folder, "a.hbs"), "mine {{host}}");
		const mine = await loadTemplate("a.hbs", both);
		expect(mine.file).toBe(join(folder, "a.hbs"));
		expect(mine.render(context)).toBe("mine edge-1");
	});

	test("by its absolute path, whatever the folders", async () => {
		await writeFile(join(packaged, "b.hbs"), "b");
		expect((await loadTemplate(join(packaged, "b.hbs"), ["/nowhere"])).render(context)).toBe("b");
	});

	test("or the error lists where it was looked for", async () => {
		expect(await errorOf(loadTemplate("none.hbs", [folder, packaged]))).toBe(
			'cannot find template "none.hbs" (looked for none.hbs, packaged/none.hbs)',
		);
	});

	test("or the error says that it can't be read", async () => {
		expect(await errorOf(loadTemplate("packaged", [folder]))).toContain("cannot read template packaged: EISDIR");
	});
});

describe("what is wrong in a template is reported with its place", () => {
	test.each([
		["{{#if host}}\nx", '2: syntax error near "{{#if host}}x": unexpected end of the file'],
		["a\n{{host", '2: syntax error near "a{{host": a name or "}}" is missing'],
		["{{#if host}}a{{/each}}", "1:4: if doesn't match each"],
		["a\n  {{nope}}", '2:3: unknown name "nope" (known here: host, proxy, services)'],
		[
			"{{proxy.nmae}}",
			'1:1: unknown name "proxy.nmae" (did you mean name? known here: name, type, runtimeSocket, fallbackChecks, pidFile, options)',
		],
		["a\n{{#each servics}}{{/each}}", '2:9: unknown name "servics" (did you mean services?'],
		["{{#each services as |s|}}\n{{s.nmae}}{{/each}}", '2:1: unknown name "nmae" (did you mean name?'],
		["{{#each services}}{{#each backends}}{{hostport addres port}}{{/each}}{{/each}}", '1:48: unknown name "addres"'],
		["{{#each services}}{{@indx}}{{/each}}", '1:21: unknown name "@indx"'],
		["{{#if (eq hots 1)}}{{/if}}", '1:11: unknown name "hots" (did you mean host?'],
		["{{join services.0.hosts sep}}", '1:25: unknown name "sep"'],
		["{{json (where services mod=host)}}", '1:8: where: the items have no "mod"'],
		["{{proxy.options.bind}}", '1:1: option "bind" is not set (set it, or write {{default proxy.options.bind "…"}})'],
		[
			"{{nope host}}",
			'1:1: unknown helper "nope" (known: after, default, each, eq, having, hostport, if, join, json, list, lookup, regex, serving, standby, unless, where, with)',
		],
		["{{#nope host}}{{/nope}}", '1:1: unknown helper "nope"'],
		["{{#if (nope host)}}{{/if}}", '1:7: unknown helper "nope"'],
		["{{log host}}", '1:1: unknown helper "log"'],
		["\n{{> nope.hbs}}", '2:1: unknown partial "nope.hbs" (looked for'],
		["{{> (lookup proxy 'name')}}", "1:1: a computed partial"],
		[
			"{{#services}}{{/services}}",
			'1:1: section "services" (write {{#each services}}, {{#if services}} or {{#with services}})',
		],
		["{{#*nope 'x'}}{{/nope}}", '1:1: unknown decorator "nope"'],
		["{{* inline}}", "1:1: a decorator"],
		["{{#each host}}{{/each}}", '1:1: each needs a list (got "edge-1"; write {{#each (list …)}})'],
		["{{#if}}{{/if}}", "1:1: #if requires exactly one argument"],
		["{{join host ' '}}", "1:1: join needs a list and a separator"],
		["{{hostport host host}}", "1:1: hostport needs an address and a port"],
		["{{json}}", "1:1: json needs one value"],
	])("%j", async (text, message) => {
		expect(await errorOf(render(text))).toContain(`cannot use template t.hbs:${message}`);
	});

	test("of a partial in the file of the partial", async () => {
		await writeFile(join(folder, "part.hbs"), "ok\n{{nope}}");
		await writeFile(join(folder, "whole.hbs"), "{{> part.hbs}}");
		const whole = await loadTemplate("whole.hbs", [folder]);
		expect(whole.files).toEqual([join(folder, "whole.hbs"), join(folder, "part.hbs")]);
		expect(() => whole.render(context)).toThrow(`${join(folder, "part.hbs")}:2:1: unknown name "nope"`);
	});

	test("of partials that include each other", async () => {
		await writeFile(join(folder, "one.hbs"), "{{> two.hbs}}");
		await writeFile(join(folder, "two.hbs"), "{{> one.hbs}}");
		expect(await errorOf(loadTemplate("one.hbs", [folder]))).toBe(
			'cannot use template two.hbs:1:1: partial "one.hbs" includes itself (one.hbs → two.hbs)',
		);
	});
});

describe("a template renders", () => {
	test.each([
		["{{host}} {{this.host}} {{./host}}", "edge-1 edge-1 edge-1"],
		["{{#each services}}{{name}} {{../host}} {{@root.proxy.name}} {{@index}}{{/each}}", "web edge-1 edge 0"],
		["{{#each services as |s i|}}{{i}} {{s.name}}{{#with s}} {{name}}{{/with}}{{/each}}", "0 web web"],
		["{{services.0.backends.[0].id}}", "10.0.0.1:80"],
		["{{services.length}}", "1"],
		["{{#each (list proxy.options.bind)}}x{{else}}none{{/each}}", "none"],
		["{{#if proxy.options.bind}}x{{else}}none{{/if}}", "none"],
		["{{#each services}}{{default options.weight 1}} {{default options.other 2}} {{options.weight}}{{/each}}", "5 2 5"],
		["{{#each services}}{{#with options}}{{weight}}{{/with}}{{/each}}", "5"],
		["[{{lookup proxy.options 'bind'}}]", "[]"],
		["{{#*inline 'row'}}<{{name}}>{{/inline}}{{#each services}}{{> row}}{{> row name=mode}}{{/each}}", "<web><http>"],
		["{{#if (eq host 'x')}}1{{else if (eq host 'edge-1')}}2{{/if}}", "2"],
		["{{{host}}} {{json '<&\">'}}", 'edge-1 "<&\\">"'],
		["a\n{{#if host}}\nb\n{{/if}}\nc\n", "a\nb\nc\n"],
	])("%j", async (text, result) => {
		expect(await render(text)).toBe(result);
	});

	test.each([
		"{{constructor}}",
		"{{__proto__}}",
		"{{host.constructor}}",
		"{{services.map}}",
		"{{#with host}}{{toString}}{{/with}}",
		"{{#each services as |s|}}{{s.hasOwnProperty}}{{/each}}",
		"{{@root.constructor}}",
		"{{json (where services constructor=1)}}",
		"{{@get true this 'host'}}",
	])("nothing of a prototype: %j", async (text) => {
		await expect(render(text)).rejects.toThrow(/unknown name|unknown helper|have no "constructor"/);
	});

	test.each(["{{lookup services 'constructor'}}", "{{lookup host 'constructor'}}", "{{lookup proxy '__proto__'}}"])(
		"nothing of a prototype by lookup: %j",
		async (text) => {
			expect(await render(text)).toBe("");
		},
	);
});
