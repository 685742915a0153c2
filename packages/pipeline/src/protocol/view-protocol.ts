import type { PatientSource } from './patients.js'
import type { ProtocolRow } from './rows.js'
import type { Protocol } from './schema.js'

/** What a view worker is started with. */
export interface ViewWorkerData {
  readonly source: PatientSource
  readonly protocol: Protocol
  /** Path of N; undefined for the one that comes with Raypose, null where no method asks for it. */
  readonly model: string | null | undefined
  /** Folder that DRRs are kept in. */
  readonly drrs: string
}

/** Asks for some methods on one view. */
export interface ViewRequest {
  readonly view: number
  readonly methods: readonly string[]
}

/** The first message says that the worker is ready; each later one answers a request. */
export type ViewReply =
  | { readonly ready: true }
  | { readonly rows: ProtocolRow[] }
  /** `code` and `hint` where the error is one of Raypose's own. */
  | { readonly failure: string; readonly code?: string; readonly hint?: string }
