/** Seconds. Every age in a history is a multiple of 4 and no limit is: real time may pass meanwhile. */
export const limits = { ttl: 1_003, maxAge: 1_503, grace: 11, keep: 3_603 } as const

/** A session as plain TypeScript understands it; times are seconds of the model's clock. */
export interface ModelSession {
  readonly id: string
  readonly person: number
  readonly site: number
  generation: number
  rotatedAt: number
  expiresAt: number
  readonly endsAt: number
  revokedAt: number | null
}

/** What the rules of design section 3 make of a history, without any SQL. */
export class SessionModel {
  now = 0
  readonly sessions: ModelSession[] = []
  readonly disabledPeople = new Set<number>()
  readonly disabledSites = new Set<number>()
  readonly demandingSites = new Set<number>()

  login(id: string, person: number, site: number): void {
    const endsAt = this.now + limits.maxAge
    const expiresAt = this.now + limits.ttl
    const session = {
      id,
      person,
      site,
      generation: 0,
      rotatedAt: this.now,
      expiresAt,
      endsAt,
      revokedAt: null,
    }
    this.sessions.push(session)
  }

  unended(session: ModelSession): boolean {
    return session.revokedAt === null && session.expiresAt > this.now
  }

  living(session: ModelSession): boolean {
    return (
      this.unended(session) &&
      !this.disabledPeople.has(session.person) &&
      !this.disabledSites.has(session.site)
    )
  }

  /** @param proved a site, or null; @param grace seconds */
  refresh(session: ModelSession, generation: number, proved: number | null, grace: number): string {
    const admitted = proved === null ? !this.demandingSites.has(session.site) : proved === session.site
    if (!this.living(session) || !admitted) return this.reason(session, proved)
    if (generation === session.generation) {
      session.generation += 1
      session.rotatedAt = this.now
      session.expiresAt = Math.min(this.now + limits.ttl, session.endsAt)
      return `granted ${session.generation}`
    }
    if (generation === session.generation - 1 && this.now - session.rotatedAt < grace)
      return `granted ${session.generation}`
    session.revokedAt = this.now
    return generation > session.generation ? 'ahead' : 'reused'
  }

  /** Ends a session of the asker's person at the asker's site. */
  end(asker: ModelSession, target: ModelSession): string {
    if (!this.living(asker)) return 'asker-ended'
    if (target.person !== asker.person || target.site !== asker.site || !this.unended(target))
      return 'not-found'
    target.revokedAt = this.now
    return 'ended'
  }

  sweep(): number {
    const old = ({ revokedAt, expiresAt }: ModelSession) =>
      this.now - Math.min(revokedAt ?? expiresAt, expiresAt) > limits.keep
    const gone = this.sessions.filter(old)
    for (const session of gone) this.sessions.splice(this.sessions.indexOf(session), 1)
    return gone.length
  }

  private reason(session: ModelSession, proved: number | null): string {
    if (proved === null && this.demandingSites.has(session.site)) return 'secret-required'
    if (proved !== null && proved !== session.site) return 'other-site'
    if (this.disabledSites.has(session.site)) return 'site-disabled'
    return this.disabledPeople.has(session.person) ? 'user-disabled' : 'ended'
  }
}
