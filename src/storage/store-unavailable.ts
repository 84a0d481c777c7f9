/** The store did not answer in time, or not at all: nothing is known of the login, nor whether the call was carried out. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable'
}
