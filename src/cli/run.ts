export async function run(..._args: unknown[]): Promise<number> {
	return 1;
}
