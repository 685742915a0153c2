import { CancelledError, ModelError } from '@raypose/core'
import { awakeClock } from './awake-clock.js'
import type { TrainingNote } from './messages.js'
import { divergenceGuard, learningRateAt, type TrainOptions, type TrainResult } from './train-options.js'
import type { Accuracy } from './validation.js'
import { startFeeder, startTrainer } from './worker-link.js'

export type { TrainingStep, TrainOptions, TrainResult } from './train-options.js'

/**
 * Trains a network in two worker threads, one that makes batches and one that learns from them. The same options give the same
 * weights, except where time decides (`maxSeconds`).
 *
 * A step whose loss is not finite is undone; three in a row take the training back to its last checkpoint, at a lower rate.
 * @throws CancelledError when `signal` aborts; ModelError when training diverges, or for a checkpoint that is damaged or of another
 * network; BackendError when a worker dies or the provider is not there; whatever the source throws
 */
export async function trainNetwork(o: TrainOptions): Promise<TrainResult> {
  const { spec, optimiser, seed, threads, parameters, provider } = o
  const trainer = startTrainer({
    spec,
    batchSize: o.batch.batchSize,
    optimiser,
    threads,
    parameters,
    seed,
    provider
  })
  const feeder = startFeeder({ source: o.source, batch: { ...o.batch, spec } })
  const clock = awakeClock()
  try {
    await trainer.ready
    const before = o.checkpoint ? await trainer.ask({ kind: 'restore', bytes: o.checkpoint }) : null
    let step = before?.step ?? 0
    let best: TrainingNote['best'] = before?.note.best ?? null
    const guard = divergenceGuard(before?.note.rate)
    let average = before?.note.loss ?? Number.NaN
    let accuracy: Accuracy | undefined
    let validated = -1
    const elapsed = () => (before?.note.seconds ?? 0) + clock.seconds()
    const early = () => o.patience !== undefined && best !== null && best.since >= o.patience
    const progress = () => Math.min(1, Math.max(step / o.steps, o.maxSeconds ? elapsed() / o.maxSeconds : 0))
    const note = (): TrainingNote => ({
      seconds: elapsed(),
      loss: Number.isNaN(average) ? null : average,
      rate: guard.rate(),
      best
    })

    const validate = async () => {
      if (!o.validation || validated === step) return
      const { outcome } = await trainer.ask({ kind: 'validate', set: o.validation })
      validated = step
      accuracy = outcome.accuracy
      const { meanMm } = accuracy
      if (best && !(meanMm < best.meanMm)) best = { ...best, since: best.since + 1 }
      else {
        best = { step, meanMm, since: 0 }
        if (o.onBest) await o.onBest(step, accuracy, (await trainer.ask({ kind: 'parameters' })).parameters)
      }
      await o.onValidation?.(step, accuracy, outcome)
    }
    let safe = o.checkpoint
    let saved = performance.now()
    const save = async () => {
      safe = (await trainer.ask({ kind: 'checkpoint', note: note() })).bytes
      await o.onCheckpoint?.(step, safe)
      saved = performance.now()
    }
    const saveDue = () =>
      (o.checkpointEvery !== undefined && step % o.checkpointEvery === 0) ||
      (o.checkpointSeconds !== undefined && performance.now() - saved > 1000 * o.checkpointSeconds)

    // Somewhere to go back to, should the very first steps fail.
    safe ??= (await trainer.ask({ kind: 'checkpoint', note: note() })).bytes
    let paceSeconds = Number.NaN
    let ended = performance.now()
    while (progress() < 1 && !early()) {
      if (o.signal?.aborted) {
        await save()
        throw new CancelledError(
          `Training was stopped at step ${step}`,
          'Run the same command again to go on from the last checkpoint.'
        )
      }
      const asked = performance.now()
      const batch = await feeder.next()
      const waitSeconds = (performance.now() - asked) / 1000
      const lr = guard.rate() * learningRateAt(o, step, progress())
      const hyper = {
        lr,
        ...o.hyper,
        ...(o.averageDecay === undefined ? {} : { averageDecay: o.averageDecay })
      }
      const { images, targets } = batch
      const r = await trainer.ask({ kind: 'step', images, targets, hyper }, [images.buffer, targets.buffer])
      const verdict = guard.after(r.status)
      if (verdict === 'end')
        throw new ModelError(
          `Training diverged at step ${step}: the loss is not finite, at lower learning rates neither`,
          'Lower the learning rate, or look for images or landmarks in the population that are not numbers.'
        )
      if (verdict === 'back') {
        const from = step
        step = (await trainer.ask({ kind: 'restore', bytes: safe })).step
        await o.onRollBack?.(from, step, guard.rate())
      }
      if (verdict !== 'on') continue
      step = r.step
      average = Number.isNaN(average) ? r.loss : 0.98 * average + 0.02 * r.loss
      const took = (performance.now() - ended) / 1000
      ended = performance.now()
      // The first step waited for the first patients.
      paceSeconds = Number.isNaN(paceSeconds) ? r.seconds : 0.95 * paceSeconds + 0.05 * took
      o.onStep?.({
        step,
        steps: o.steps,
        loss: average,
        gradientNorm: r.gradientNorm,
        lr,
        progress: progress(),
        seconds: elapsed(),
        imagesPerSecond: o.batch.batchSize / paceSeconds,
        trainSeconds: r.seconds,
        feedSeconds: batch.seconds,
        viewSeconds: batch.viewSeconds,
        waitSeconds
      })
      if (o.validateEvery && step % o.validateEvery === 0 && progress() < 1) {
        await validate()
        ended = performance.now()
      }
      if (saveDue()) await save()
    }
    await validate()
    await save()
    const result = await trainer.ask({ kind: 'parameters' })
    return {
      parameters: result.parameters,
      step,
      seconds: elapsed(),
      loss: average,
      accuracy,
      best,
      stoppedEarly: early()
    }
  } finally {
    clock.end()
    await Promise.all([feeder.end(), trainer.end()])
  }
}
