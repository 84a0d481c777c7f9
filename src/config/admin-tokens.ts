/**
 * Reads ADMIN_TOKENS.
 * @param problems gets a sentence, without the value, for each entry that cannot be used
 * @returns the name of each token by its SHA-256, lower-case hex
 */
export function readAdminTokens(value: string | undefined, problems: string[]): Map<string, string> {
  const tokens = new Map<string, string>()
  for (const entry of (value ?? '').split(',').filter((part) => part.trim() !== '')) {
    const match = /^([\w.-]{1,64}):([0-9a-f]{64})$/i.exec(entry.trim())
    if (match?.[1] === undefined || match[2] === undefined)
      problems.push(
        'ADMIN_TOKENS must be NAME:SHA-256-OF-TOKEN in hex, comma-separated (made by `admin-token NAME`).',
      )
    else tokens.set(match[2].toLowerCase(), match[1])
  }
  return tokens
}
