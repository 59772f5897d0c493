/**
 * The only file of the sensor that calls native code: the parts of libbpf and libc that it needs, behind types that hold
 * no pointer. Both the main thread and the worker load it; map descriptors are valid in either. Knows nothing of
 * what the records mean.
 */

import { closeSync, readSync } from "node:fs";
import { constants } from "node:os";
import { isMainThread } from "node:worker_threads";
import koffi, { type LibraryHandle } from "koffi";
import { messageOf, SolistendError } from "../errors.js";
import type { Refusal } from "./hooks.js";
import { aboutProgram, culpritOf, lacksType, lastWords } from "./last-words.js";

/** A loaded BPF object. `close()` detaches its programs and frees its maps. */
export interface BpfObject {
	/** Optional programs that the kernel refused, and that were left out. */
	readonly refused: ReadonlyMap<string, Refusal>;
	/** Descriptor of a map, valid in every thread of the process until `close()`. */
	mapFd(name: string): number;
	/** Attaches a program where its section says; it runs until `close()`. */
	attach(program: string): void;
	/** The same, and says why where the kernel does not let it. */
	tryAttach(program: string): Refusal | undefined;
	/** Attaches an iterator, over the elements of the map `mapFd` where it walks one. */
	attachIterator(program: string, mapFd?: number): Iterator;
	/**
	 * How often the kernel passed over one of the attached programs, since it was at it already: interrupted, or preempted on
	 * the same CPU. Only ever grows; 0 where the kernel does not count it (before 5.12). A few microseconds.
	 */
	missed(): number;
	close(): void;
}

/** An attached BPF iterator. */
export interface Iterator {
	/** Walks once to the end, synchronously; what the program wrote (`bpf_seq_write`) on the way. */
	walk(): Buffer;
}

/** The consumer's side of a BPF ring buffer. */
export interface Ring {
	/** Becomes readable when there are records. */
	readonly epollFd: number;
	/** Hands on what is there, until `onRecord` answers false (that record is consumed, too). */
	consume(): void;
	close(): void;
}

/** A descriptor that ends a `waitReadable` in another thread. */
export interface Eventfd {
	readonly fd: number;
	signal(): void;
	close(): void;
}

/** An address in C, or NULL. */
type Pointer = bigint | null;

/** What a call gave. */
type Made = { readonly made: Pointer } | { readonly errno: number };

const PrintFn = koffi.proto("int solistend_print(int level, void *format, void *args)");
const SampleFn = koffi.proto("int solistend_sample(void *context, void *data, size_t size)");
const PollFd = koffi.struct("solistend_pollfd", { fd: "int", events: "int16_t", revents: "int16_t" });
const IterOptions = koffi.struct("solistend_iter_options", {
	sz: "size_t",
	link_info: "void *",
	link_info_len: "uint32_t",
});

const POLLIN = 1;
/** `EFD_CLOEXEC | EFD_NONBLOCK`, eventfd(2). */
const EFD_FLAGS = 0o2000000 | 0o4000;
/** `LIBBPF_INFO`; what is above it is chatter. */
const PRINT_INFO = 1;
const BPF_ANY = 0;
/** `struct bpf_prog_info` up to `recursion_misses`, its last field here, and where that is. */
const PROGRAM_INFO = { size: 216, missed: 208 } as const;
const CLOCK_BOOTTIME = 7;
const RLIMIT_MEMLOCK = 8;
const { EAGAIN, EINTR, ENOENT, ENOSPC, EOPNOTSUPP, EPERM, ESRCH } = constants.errno;
/** The verifier gives up when a signal waits, and libbpf after it did so five times. */
const LOAD_ATTEMPTS = 20;
/** Of pthread_sigmask(3); a `sigset_t` has 128 bytes. */
const SIG_BLOCK = 0;
const SIG_SETMASK = 2;
const ALL_SIGNALS = Buffer.alloc(128, 0xff);
/** What the kernel, or libbpf, says of a place that is not there; 524 is the kernel's own ENOTSUPP. */
const LACKS: ReadonlySet<number> = new Set([ENOENT, ESRCH, EOPNOTSUPP, 524]);

/** What we call, by its C names. An opaque structure is a pointer; a Buffer stands for the memory it owns. */
interface Native {
	libbpf_version_string(): string;
	libbpf_set_print(callback: Pointer): Pointer;
	bpf_object__open_file(path: string, options: null): Pointer;
	bpf_object__load(object: Pointer): number;
	bpf_object__close(object: Pointer): void;
	bpf_object__find_map_fd_by_name(object: Pointer, name: string): number;
	bpf_object__find_program_by_name(object: Pointer, name: string): Pointer;
	bpf_program__set_autoload(program: Pointer, autoload: boolean): number;
	bpf_program__attach(program: Pointer): Pointer;
	bpf_program__attach_iter(program: Pointer, options: object | null): Pointer;
	bpf_program__fd(program: Pointer): number;
	bpf_obj_get_info_by_fd(fd: number, info: Buffer, length: Buffer): number;
	bpf_link__fd(link: Pointer): number;
	bpf_link__destroy(link: Pointer): number;
	bpf_iter_create(linkFd: number): number;
	bpf_map_lookup_elem(fd: number, key: Buffer, value: Buffer): number;
	bpf_map_update_elem(fd: number, key: Buffer, value: Buffer, flags: number): number;
	bpf_map_lookup_batch(
		fd: number,
		from: Buffer | null,
		next: Buffer,
		keys: Buffer,
		values: Buffer,
		count: Buffer,
		options: null,
	): number;
	ring_buffer__new(fd: number, sample: Pointer, context: null, options: null): Pointer;
	ring_buffer__consume(ring: Pointer): number;
	ring_buffer__epoll_fd(ring: Pointer): number;
	ring_buffer__free(ring: Pointer): void;
	eventfd(initial: number, flags: number): number;
	eventfd_read(fd: number, value: Buffer): number;
	eventfd_write(fd: number, value: number): number;
	memcpy(to: Buffer, from: bigint, size: number): unknown;
	poll(fds: object[], count: number, timeoutMs: number): number;
	clock_gettime(clock: number, result: Buffer): number;
	pthread_sigmask(how: number, set: Buffer, old: Buffer | null): number;
	getrlimit(resource: number, limits: Buffer): number;
	setrlimit(resource: number, limits: Buffer): number;
	strerror(errno: number): string;
	malloc_trim(pad: number): number;
	vsnprintf(text: Buffer, size: number, format: Pointer, args: Pointer): number;
}

let bound: Native | undefined;

function native(): Native {
	if (bound === undefined) {
		bound = bind(open("libbpf.so.1", "install it: apt-get install libbpf1"), open("libc.so.6", "it is glibc's"));
		// What it has to say belongs into our errors, not onto the terminal. It is the whole process's: a worker that starts
		// must not take away what the main thread is listening to.
		if (isMainThread) bound.libbpf_set_print(null);
	}
	return bound;
}

function open(name: string, mend: string): LibraryHandle {
	try {
		return koffi.load(name);
	} catch (cause) {
		throw new SolistendError("unsupported", `cannot load ${name} (${mend})`, { cause });
	}
}

function bind(bpf: LibraryHandle, c: LibraryHandle): Native {
	const iterOptions = koffi.pointer(IterOptions);
	const pollFds = koffi.inout(koffi.pointer(PollFd));
	return {
		libbpf_version_string: bpf.func("const char *libbpf_version_string(void)"),
		libbpf_set_print: bpf.func("void *libbpf_set_print(void *callback)"),
		bpf_object__open_file: bpf.func("void *bpf_object__open_file(const char *path, void *options)"),
		bpf_object__load: bpf.func("int bpf_object__load(void *object)"),
		bpf_object__close: bpf.func("void bpf_object__close(void *object)"),
		bpf_object__find_map_fd_by_name: bpf.func("int bpf_object__find_map_fd_by_name(void *object, const char *name)"),
		bpf_object__find_program_by_name: bpf.func(
			"void *bpf_object__find_program_by_name(void *object, const char *name)",
		),
		bpf_program__set_autoload: bpf.func("int bpf_program__set_autoload(void *program, bool autoload)"),
		bpf_program__attach: bpf.func("void *bpf_program__attach(void *program)"),
		bpf_program__attach_iter: bpf.func("bpf_program__attach_iter", "void *", ["void *", iterOptions]),
		bpf_program__fd: bpf.func("int bpf_program__fd(void *program)"),
		bpf_obj_get_info_by_fd: bpf.func("int bpf_obj_get_info_by_fd(int fd, void *info, void *length)"),
		bpf_link__fd: bpf.func("int bpf_link__fd(void *link)"),
		bpf_link__destroy: bpf.func("int bpf_link__destroy(void *link)"),
		bpf_iter_create: bpf.func("int bpf_iter_create(int link_fd)"),
		bpf_map_lookup_elem: bpf.func("int bpf_map_lookup_elem(int fd, void *key, void *value)"),
		bpf_map_update_elem: bpf.func("int bpf_map_update_elem(int fd, void *key, void *value, uint64_t flags)"),
		bpf_map_lookup_batch: bpf.func(
			"int bpf_map_lookup_batch(int fd, void *from, void *next, void *keys, void *values, void *count, void *options)",
		),
		ring_buffer__new: bpf.func("void *ring_buffer__new(int map_fd, void *sample, void *context, void *options)"),
		ring_buffer__consume: bpf.func("int ring_buffer__consume(void *ring)"),
		ring_buffer__epoll_fd: bpf.func("int ring_buffer__epoll_fd(void *ring)"),
		ring_buffer__free: bpf.func("void ring_buffer__free(void *ring)"),
		eventfd: c.func("int eventfd(unsigned int initial, int flags)"),
		eventfd_read: c.func("int eventfd_read(int fd, void *value)"),
		eventfd_write: c.func("int eventfd_write(int fd, uint64_t value)"),
		memcpy: c.func("void *memcpy(void *to, void *from, size_t size)"),
		poll: c.func("poll", "int", [pollFds, "unsigned long", "int"]),
		clock_gettime: c.func("int clock_gettime(int clock, void *result)"),
		pthread_sigmask: c.func("int pthread_sigmask(int how, void *set, void *old)"),
		getrlimit: c.func("int getrlimit(int resource, void *limits)"),
		setrlimit: c.func("int setrlimit(int resource, void *limits)"),
		strerror: c.func("const char *strerror(int errnum)"),
		malloc_trim: c.func("int malloc_trim(size_t pad)"),
		vsnprintf: c.func("int vsnprintf(void *text, size_t size, void *format, void *args)"),
	};
}

/** Version of the libbpf that is installed, such as `v1.1`. */
export function libbpfVersion(): string {
	return native().libbpf_version_string();
}

/** Lets this process lock as much memory as it may: libbpf itself only tries to lift the limit altogether, as root can. */
export function raiseLockedMemory(): void {
	const c = native();
	// struct rlimit: the soft limit, then the hard one
	const limits = Buffer.alloc(16);
	if (c.getrlimit(RLIMIT_MEMLOCK, limits) !== 0) return;
	limits.copy(limits, 0, 8);
	c.setrlimit(RLIMIT_MEMLOCK, limits);
}

/**
 * Opens and loads a compiled object: relocates it to the running kernel, makes its maps, verifies its programs. One that the
 * kernel refuses fails the whole object: where it is one of `optional`, the object is opened again without it.
 *
 * @throws SolistendError with libbpf's own last words when the file is no object or the kernel refuses it.
 */
export function openObject(path: string, optional: readonly string[] = []): BpfObject {
	const refused = new Map<string, Refusal>();
	for (;;) {
		const load = tryToLoad(path, refused);
		if ("loaded" in load) {
			// The kernel's own BTF was read for it, some ten megabytes: freed by now, and the C library keeps them.
			native().malloc_trim(0);
			return bpfObject(path, load.loaded, refused);
		}
		const { culprit, refusal, error } = load;
		if (culprit === undefined || !optional.includes(culprit) || refused.has(culprit)) throw error;
		refused.set(culprit, refusal);
	}
}

type Load =
	| { readonly loaded: Pointer }
	/** `culprit`: the program that failed, as far as libbpf says. */
	| { readonly culprit: string | undefined; readonly refusal: Refusal; readonly error: SolistendError };

function tryToLoad(path: string, without: ReadonlyMap<string, unknown>): Load {
	const c = native();
	const what = `load the BPF object ${path}`;
	for (let attempt = 1; ; attempt++) {
		const { lines, value } = listening((): Made => {
			const opened = c.bpf_object__open_file(path, null);
			if (opened === null) return { errno: koffi.errno() };
			for (const program of without.keys()) {
				const found = c.bpf_object__find_program_by_name(opened, program);
				if (found !== null) c.bpf_program__set_autoload(found, false);
			}
			const result = undisturbed(() => c.bpf_object__load(opened));
			if (result === 0) return { made: opened };
			c.bpf_object__close(opened);
			return { errno: -result };
		});
		if ("made" in value) return { loaded: value.made };
		const { errno } = value;
		if ((errno === EAGAIN || errno === EINTR) && attempt < LOAD_ATTEMPTS) continue;
		const culprit = culpritOf(lines);
		return { culprit, refusal: refusalOf(culprit, errno, lines), error: spoken(what, errno, lines) };
	}
}

function bpfObject(path: string, object: Pointer, refused: ReadonlyMap<string, Refusal>): BpfObject {
	const c = native();
	const links: Pointer[] = [];
	const attached: number[] = [];
	const tryLink = (program: string, how: (found: Pointer) => Pointer) => {
		const { lines, value } = listening((): Made => {
			const found = c.bpf_object__find_program_by_name(object, program);
			const made = found === null ? null : how(found);
			if (made === null) return { errno: koffi.errno() };
			attached.push(c.bpf_program__fd(found));
			return { made };
		});
		if ("errno" in value) return { ...value, lines };
		links.push(value.made);
		return value;
	};
	const link = (program: string, how: (found: Pointer) => Pointer): Pointer => {
		const linked = tryLink(program, how);
		if ("made" in linked) return linked.made;
		throw spoken(`attach the BPF program ${program}`, linked.errno, linked.lines);
	};

	return {
		refused,
		mapFd(name) {
			const fd = c.bpf_object__find_map_fd_by_name(object, name);
			if (fd < 0) throw errnoError(`find the map ${name} in the BPF object ${path}`, -fd);
			return fd;
		},
		attach(program) {
			link(program, c.bpf_program__attach);
		},
		tryAttach(program) {
			const linked = tryLink(program, c.bpf_program__attach);
			return "errno" in linked ? refusalOf(program, linked.errno, linked.lines) : undefined;
		},
		attachIterator(program, mapFd) {
			// union bpf_iter_link_info: for a map's elements its first member is the map's descriptor
			const info = Buffer.alloc(16);
			info.writeUInt32LE(mapFd ?? 0);
			const options =
				mapFd === undefined ? null : { sz: koffi.sizeof(IterOptions), link_info: info, link_info_len: info.length };
			const iterator = link(program, (found) => c.bpf_program__attach_iter(found, options));
			const sink = Buffer.alloc(4096);
			return {
				walk() {
					const fd = c.bpf_iter_create(c.bpf_link__fd(iterator));
					if (fd < 0) throw errnoError(`start the BPF iterator ${program}`, -fd);
					const written: Buffer[] = [];
					try {
						for (;;) {
							const length = advance(program, fd, sink);
							if (length === 0) return Buffer.concat(written);
							if (length !== undefined) written.push(Buffer.from(sink.subarray(0, length)));
						}
					} finally {
						closeSync(fd);
					}
				},
			};
		},
		missed: () => attached.reduce((sum, fd) => sum + missedBy(fd), 0),
		close() {
			for (const made of links.splice(0).reverse()) c.bpf_link__destroy(made);
			c.bpf_object__close(object);
		},
	};
}

/** What the kernel itself counts of a program (`recursion_misses`). What it does not know stays 0. */
function missedBy(programFd: number): number {
	const info = Buffer.alloc(PROGRAM_INFO.size);
	const length = Buffer.alloc(4);
	length.writeUInt32LE(info.length);
	const result = native().bpf_obj_get_info_by_fd(programFd, info, length);
	return result === 0 ? Number(info.readBigUInt64LE(PROGRAM_INFO.missed)) : 0;
}

/**
 * Lets an iterator go on; how many bytes it wrote into `sink`, 0 at its end. The kernel gives up with EAGAIN after a million objects without output
 * (`bpf_seq_read`), and goes on from there at the next read: a busy proxy alone may have so many files open.
 */
function advance(program: string, fd: number, sink: Buffer): number | undefined {
	try {
		return readSync(fd, sink);
	} catch (cause) {
		if (cause instanceof Error && "code" in cause && cause.code === "EAGAIN") return undefined;
		throw new SolistendError("sensor", `cannot walk the BPF iterator ${program}: ${messageOf(cause)}`, { cause });
	}
}

/** Consumes the ring buffer `mapFd`; `onRecord` gets each record's bytes, valid during the call, and must not throw. */
export function openRing(mapFd: number, onRecord: (bytes: Buffer) => boolean): Ring {
	const c = native();
	// Copied, and always to the same place: what is made of a view of foreign memory (`koffi.view`) is freed by the event loop,
	// and that of a thread that only waits here never turns.
	let room = Buffer.alloc(0);
	const sample = koffi.register((_context: Pointer, data: bigint, size: number) => {
		if (room.length !== size) room = Buffer.alloc(size);
		c.memcpy(room, data, size);
		return onRecord(room) ? 0 : -EPERM;
	}, koffi.pointer(SampleFn));
	const ring = c.ring_buffer__new(mapFd, sample, null, null);
	if (ring === null) {
		koffi.unregister(sample);
		throw errnoError("open the ring buffer", koffi.errno());
	}
	return {
		epollFd: c.ring_buffer__epoll_fd(ring),
		consume() {
			const result = c.ring_buffer__consume(ring);
			if (result < 0 && result !== -EPERM) throw errnoError("read the ring buffer", -result);
		},
		close() {
			c.ring_buffer__free(ring);
			koffi.unregister(sample);
		},
	};
}

/** Reads the one element of an array map into `value`. */
export function readSingle(mapFd: number, value: Buffer): void {
	const result = native().bpf_map_lookup_elem(mapFd, Buffer.alloc(4), value);
	if (result < 0) throw errnoError("read a BPF map", -result);
}

/** Replaces the one element of an array map. */
export function writeSingle(mapFd: number, value: Buffer): void {
	const result = native().bpf_map_update_elem(mapFd, Buffer.alloc(4), value, BPF_ANY);
	if (result < 0) throw errnoError("write a BPF map", -result);
}

/**
 * All values of a hash map, one after the other. `BPF_MAP_LOOKUP_BATCH` takes whole buckets under their lock, so
 * no element that stays in the map is missed, however much else comes and goes.
 */
export function readAll(mapFd: number, keySize: number, valueSize: number): Buffer {
	const c = native();
	const batches: Buffer[] = [];
	let capacity = 4096;
	let cursor: Buffer | null = null;
	for (;;) {
		const next = Buffer.alloc(8);
		const keys = Buffer.allocUnsafeSlow(capacity * keySize);
		const values = Buffer.allocUnsafeSlow(capacity * valueSize);
		const count = Buffer.alloc(4);
		count.writeUInt32LE(capacity);
		const error = -c.bpf_map_lookup_batch(mapFd, cursor, next, keys, values, count, null);
		if (error === ENOSPC) {
			// one bucket holds more than fits: the same place again with more room
			capacity *= 2;
			continue;
		}
		if (error !== 0 && error !== ENOENT) throw errnoError("read a BPF map", error);
		batches.push(values.subarray(0, count.readUInt32LE() * valueSize));
		if (error === ENOENT) return Buffer.concat(batches);
		cursor = next;
	}
}

/** A new eventfd(2). */
export function openEventfd(): Eventfd {
	const c = native();
	const fd = c.eventfd(0, EFD_FLAGS);
	if (fd < 0) throw errnoError("make an eventfd", koffi.errno());
	return { fd, signal: () => void c.eventfd_write(fd, 1), close: () => closeSync(fd) };
}

/**
 * Blocks the calling thread until the eventfd `wake` or, where given, the descriptor `other` is readable, with no
 * time-out. Empties `wake`.
 */
export function waitReadable(wake: number, other: number | undefined): void {
	const c = native();
	const fds = [
		{ fd: wake, events: POLLIN, revents: 0 },
		// poll(2) passes over a negative descriptor
		{ fd: other ?? -1, events: POLLIN, revents: 0 },
	];
	if (c.poll(fds, fds.length, -1) < 0 && koffi.errno() !== EINTR) throw errnoError("wait for events", koffi.errno());
	if (fds[0]?.revents !== 0) c.eventfd_read(wake, Buffer.alloc(8));
}

/** struct timespec: asked for while a change waits. */
const timespec = Buffer.alloc(16);

/** Nanoseconds since boot, by the clock of `bpf_ktime_get_boot_ns` (CLOCK_BOOTTIME). */
export function bootTimeNs(): number {
	native().clock_gettime(CLOCK_BOOTTIME, timespec);
	return timespec.readUInt32LE(0) * 1e9 + timespec.readUInt32LE(8);
}

/** Runs `action` while signals to this process go to its other threads, or wait. */
function undisturbed<T>(action: () => T): T {
	const c = native();
	const before = Buffer.alloc(ALL_SIGNALS.length);
	c.pthread_sigmask(SIG_BLOCK, ALL_SIGNALS, before);
	try {
		return action();
	} finally {
		c.pthread_sigmask(SIG_SETMASK, before, null);
	}
}

/** Runs `action`, and gives what libbpf and the verifier printed meanwhile. Else they are silent. */
function listening<T>(action: () => T): { readonly value: T; readonly lines: readonly string[] } {
	const c = native();
	const lines: string[] = [];
	const callback = koffi.register((level: number, format: Pointer, args: Pointer) => {
		if (level > PRINT_INFO) return 0;
		const text = Buffer.alloc(1 << 17);
		const length = Math.min(c.vsnprintf(text, text.length, format, args), text.length - 1);
		lines.push(...text.toString("utf8", 0, length).split("\n"));
		return 0;
	}, koffi.pointer(PrintFn));
	c.libbpf_set_print(callback);
	try {
		const value = action();
		return { value, lines: lines.filter((line) => line.trim() !== "") };
	} finally {
		c.libbpf_set_print(null);
		koffi.unregister(callback);
	}
}

function refusalOf(program: string | undefined, errno: number, lines: readonly string[]): Refusal {
	const about = program === undefined ? lines : aboutProgram(lines, program);
	const words = lastWords(about);
	return { isLack: LACKS.has(errno) || lacksType(about), why: words ?? native().strerror(errno) };
}

/** The error of a call, in libbpf's and the verifier's last words where they had any. */
function spoken(what: string, errno: number, lines: readonly string[]): SolistendError {
	const cause = errnoError(what, errno);
	const words = lastWords(lines);
	if (words === undefined) return cause;
	const hint = cause.code === "privilege" ? " (run as root, or give CAP_BPF and CAP_PERFMON)" : "";
	return new SolistendError(cause.code, `cannot ${what}: ${words}${hint}`, { cause });
}

function errnoError(what: string, errno: number): SolistendError {
	const why = `${native().strerror(errno)} (errno ${errno})`;
	if (errno !== EPERM) return new SolistendError("sensor", `cannot ${what}: ${why}`);
	return new SolistendError("privilege", `cannot ${what}: ${why} (run as root, or give CAP_BPF and CAP_PERFMON)`);
}
