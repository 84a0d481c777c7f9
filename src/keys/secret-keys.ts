/**
 * 32 random bytes each.
 * What is wrong goes to `problems`, a sentence each, without the value.
 */
export function readSecretKeys(value: string | undefined, problems: string[]): Buffer[] {
  const parts = value === undefined ? [] : value.split(',').map((part) => part.trim())
  // 32 bytes in standard base64; as good as no random key has fewer than 16 different bytes.
  const keys = parts.map((part) => Buffer.from(/^[A-Za-z0-9+/]{43}=$/.test(part) ? part : '', 'base64'))
  if (keys.some((key) => new Set(key).size < 16))
    problems.push(
      'SECRET_KEYS must hold base64 of 32 random bytes each, comma-separated (openssl rand -base64 32).',
    )
  return keys
}
