/** Whether PostgreSQL takes a text for a uuid as we write it; what is none can be no row's id. */
export function isUuid(value: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)
}
