/** A provider's sign for buttons and pages: a few lines of our own, in its colours. */
export interface Mark {
  readonly background: string
  readonly color: string
  /** A path in a square of 24 by 24, drawn as lines. */
  readonly lines: string
}

/** For a provider without a mark, such as one of the operator's own configuration: a key. */
const plainMark: Mark = {
  background: '#667',
  color: '#fff',
  lines: 'M12.5 11.5a3 3 0 1 0-1 1L16 17l2-2M14.5 15.5l1.5-1.5',
}

/** The drawing of a mark as an SVG element; without a text, as the name stands beside it. */
export function drawMark({ background, color, lines }: Mark = plainMark): string {
  return `<svg class="mark" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true"><rect width="24" height="24" rx="6" fill="${background}"/><path d="${lines}" fill="none" stroke="${color}" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/></svg>`
}
