/**
 * Whether a file is the BPF object of this build: whole, with the programs and maps that are asked for by name, and with
 * records as the decoder reads them. Found in the file itself, before anything is loaded: what the kernel or libbpf would
 * say of another file is no help, and records of another length would be read as if nothing listened. Pure.
 */

import { LOSSES_SIZE, RECORD_SIZE, RECORD_VERSION, ROW_SIZE } from "./record.js";

/** What the sensor can't do without, by the names in `bpf/`. */
const SYMBOLS = ["events", "listeners", "losses", "read_began", "stop_signals", "watch_state", "refresh"] as const;

/** Section with the numbers of the build, as `bpf/solistend.bpf.c` writes them. */
const BUILD_SECTION = ".rodata.build";
const BUILD = [RECORD_VERSION, RECORD_SIZE, ROW_SIZE, LOSSES_SIZE];

/** Offsets and values of ELF's 64-bit format, elf(5). */
const ELF_MAGIC = 0x464c457f;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const EM_BPF = 247;
const HEADER_SIZE = 64;
const SECTION_SIZE = 64;
const SYMBOL_SIZE = 24;
const SHT_SYMTAB = 2;
/** Zeros in memory, nothing in the file. */
const SHT_NOBITS = 8;

interface Section {
	readonly name: string;
	readonly type: number;
	readonly content: Buffer;
	/** Index of the section that belongs to it: of a symbol table, the one with its names. */
	readonly link: number;
}

/** What is wrong with the file, as a clause; undefined when it is this build's. Never throws, whatever the bytes are. */
export function objectProblem(bytes: Buffer): string | undefined {
	if (bytes.length === 0) return "it is empty";
	if (bytes.length < HEADER_SIZE || bytes.readUInt32LE(0) !== ELF_MAGIC) return "it is no object file";
	if (bytes[4] !== CLASS_64 || bytes[5] !== LITTLE_ENDIAN || bytes.readUInt16LE(18) !== EM_BPF) {
		return "it is an object file of something else";
	}
	const sections = sectionsOf(bytes);
	if (sections === undefined) return "it is cut short or damaged";
	const names = new Set(symbolsOf(sections));
	const missing = SYMBOLS.filter((name) => !names.has(name));
	if (missing.length > 0) return `it is of another build: ${missing.join(", ")} is missing`;
	const build = sections.find(({ name }) => name === BUILD_SECTION)?.content;
	const isSame = build?.length === 4 * BUILD.length && BUILD.every((number, i) => build.readUInt32LE(4 * i) === number);
	return isSame ? undefined : "it is of another build: its records are not those of this version";
}

/** Undefined when one of them does not lie within the file: their headers come last, so that nothing may be missing. */
function sectionsOf(bytes: Buffer): Section[] | undefined {
	const from = Number(bytes.readBigUInt64LE(40));
	const count = bytes.readUInt16LE(60);
	if (bytes.readUInt16LE(58) !== SECTION_SIZE || from + count * SECTION_SIZE > bytes.length) return undefined;
	const headers = Array.from({ length: count }, (_, i) => {
		const header = bytes.subarray(from + i * SECTION_SIZE, from + (i + 1) * SECTION_SIZE);
		const type = header.readUInt32LE(4);
		const at = Number(header.readBigUInt64LE(24));
		const end = type === SHT_NOBITS ? at : at + Number(header.readBigUInt64LE(32));
		const content = end <= bytes.length ? bytes.subarray(at, end) : undefined;
		return { nameAt: header.readUInt32LE(0), type, content, link: header.readUInt32LE(40) };
	});
	const names = headers[bytes.readUInt16LE(62)]?.content;
	if (names === undefined) return undefined;
	const sections: Section[] = [];
	for (const { nameAt, type, content, link } of headers) {
		if (content === undefined) return undefined;
		sections.push({ name: textAt(names, nameAt), type, content, link });
	}
	return sections;
}

function symbolsOf(sections: readonly Section[]): string[] {
	const table = sections.find(({ type }) => type === SHT_SYMTAB);
	const names = table && sections[table.link]?.content;
	if (table === undefined || names === undefined) return [];
	const symbols: string[] = [];
	for (let at = 0; at + SYMBOL_SIZE <= table.content.length; at += SYMBOL_SIZE) {
		symbols.push(textAt(names, table.content.readUInt32LE(at)));
	}
	return symbols;
}

/** A NUL-terminated string; empty where it begins beyond the end. */
function textAt(bytes: Buffer, from: number): string {
	const end = bytes.indexOf(0, from);
	return bytes.toString("latin1", from, end < 0 ? bytes.length : end);
}
