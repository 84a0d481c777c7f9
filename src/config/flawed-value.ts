/** What is wrong with the value of a variable, whichever it is, and what it is without that. */
export interface Flaw {
  /** The rest of a sentence that begins with the name of the variable. */
  readonly says: string
  /** To look for what else is wrong. */
  readonly mended: string
}

const quoted = /^(?:"(?<a>.*)"|'(?<b>.*)'|“(?<c>.*)”|«(?<d>.*)»)$/su

/** Controls, joiners, marks of direction, fillers, and every blank but the usual one. */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{DI}]|(?! )\p{Zs}/gu

/**
 * Finds what an operator cannot see or does not mean: quotation marks that a shell would remove and
 * `docker run --env-file` keeps, line breaks, and characters such as U+200B that came along with a copied value.
 * Such a value would be noticed only when somebody logs in. A line may end after a comma.
 */
export function flawOf(value: string): Flaw | undefined {
  const groups = quoted.exec(value)?.groups
  if (groups !== undefined)
    return {
      says: 'has quotation marks around its value, which `docker run --env-file` keeps: remove them.',
      mended: (groups.a ?? groups.b ?? groups.c ?? groups.d ?? '').trim(),
    }
  if (value.replace(/\s*,\s*/gu, ',').search(unseen) < 0) return undefined
  return {
    says: 'has a line break or a character that cannot be seen (such as U+200B) inside its value: type it anew, or copy it without.',
    mended: value.replace(unseen, ''),
  }
}
