import { chmod, chown, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { requireRootOnly } from "../../../../src/proxies/apply/root-only.js";

test("what is root's alone from the root folder on may be there or not", async () => {
	await requireRootOnly("/etc/passwd", "the file");
	await requireRootOnly("/etc/solistend-that-is-not-there/a/b", "the file");
	await requireRootOnly("/var/run/x", "a link of root's");
});

test("what another user owns, may write in, or may lead elsewhere is not", async () => {
	const folder = await mkdtemp(join(tmpdir(), "solistend-root-only-"));
	try {
		const [own, file] = [join(folder, "own"), join(folder, "own", "file")];
		await mkdir(own);
		await writeFile(file, "");
		if (process.geteuid?.() === 0) {
			// in a sticky folder of root's
			await requireRootOnly(file, "the output");
			await chmod(own, 0o775);
			await expect(requireRootOnly(file, "the output")).rejects.toThrow(`others than root may write ${own}`);
			await chmod(own, 0o755);
			await chmod(file, 0o666);
			await expect(requireRootOnly(file, "the output")).rejects.toThrow(`others than root may write ${file}`);
			await chmod(file, 0o644);
			await chown(own, 65_534, 65_534);
		}
		await expect(requireRootOnly(file, "the output")).rejects.toThrow(
			/the output .* is not root's alone: user \d+ owns/,
		);
		await symlink("/etc", join(own, "link"));
		await expect(requireRootOnly(join(own, "link", "passwd"), "the output")).rejects.toThrow("is not root's alone");
	} finally {
		await rm(folder, { recursive: true });
	}
});
