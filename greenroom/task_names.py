"""The names of the Celery tasks and the queue that each goes to: a contract with schedulers."""

from __future__ import annotations

from enum import StrEnum


class Queue(StrEnum):
    """What a worker may be told to consume with ``-Q``."""

    CONTROL = "control"
    INSPECTION = "inspection"
    UPLOAD = "upload"


class TaskName(StrEnum):
    """Every task of Greenroom; other programs may enqueue those of `contract.PUBLIC`."""

    PREPARE = "media.prepare"
    INSPECT = "media.inspect"
    DISPATCH = "media.dispatch"
    UPLOAD = "media.upload"
    BEGIN_SUBMISSION = "media.begin_submission"
    SUBMIT = "media.submit"
    END_SUBMISSION = "media.end_submission"
    RESOLVE = "media.resolve"
    MARK_USED = "media.mark_used"
    MARK_DEAD = "media.mark_dead"
    REPORT_ERROR = "media.report_error"
    STATUS = "media.status"
    ESTIMATE = "media.estimate"
    REJECTED = "media.rejected"
    MEDIA_IDS = "media.media_ids"
    COMPARE = "media.compare"
    RETRY = "media.retry"
    MOVE = "media.move"
    CANCEL = "media.cancel"
    SWEEP = "media.sweep"
    START_UPLOADS = "media.start_uploads"
    NOTE_READY = "media.note_ready"
    DELIVER = "media.deliver"
    FORESEE = "media.foresee"
    REFRESH = "media.refresh"
    RETIRE = "media.retire"
    VERIFY = "media.verify"
    PRUNE = "media.prune"


QUEUES: dict[TaskName, Queue] = {
    TaskName.PREPARE: Queue.CONTROL,
    TaskName.INSPECT: Queue.INSPECTION,
    TaskName.DISPATCH: Queue.CONTROL,
    TaskName.UPLOAD: Queue.UPLOAD,
    TaskName.BEGIN_SUBMISSION: Queue.CONTROL,
    TaskName.SUBMIT: Queue.CONTROL,
    TaskName.END_SUBMISSION: Queue.CONTROL,
    TaskName.RESOLVE: Queue.CONTROL,
    TaskName.MARK_USED: Queue.CONTROL,
    TaskName.MARK_DEAD: Queue.CONTROL,
    TaskName.REPORT_ERROR: Queue.CONTROL,
    TaskName.STATUS: Queue.CONTROL,
    TaskName.ESTIMATE: Queue.CONTROL,
    TaskName.REJECTED: Queue.CONTROL,
    TaskName.MEDIA_IDS: Queue.CONTROL,
    TaskName.COMPARE: Queue.CONTROL,
    TaskName.RETRY: Queue.CONTROL,
    TaskName.MOVE: Queue.CONTROL,
    TaskName.CANCEL: Queue.CONTROL,
    TaskName.SWEEP: Queue.CONTROL,
    TaskName.START_UPLOADS: Queue.CONTROL,
    TaskName.NOTE_READY: Queue.CONTROL,
    TaskName.DELIVER: Queue.UPLOAD,
    TaskName.FORESEE: Queue.CONTROL,
    TaskName.REFRESH: Queue.CONTROL,
    TaskName.RETIRE: Queue.UPLOAD,
    TaskName.VERIFY: Queue.UPLOAD,
    TaskName.PRUNE: Queue.CONTROL,
}

#: Seconds after which a task that hangs in a pool process is ended; where its pool is one of threads, which
#: cannot be ended, its worker is (`worker.hung`). Its claims are taken up again.
TASK_TIME_LIMIT = 3600
#: Beat ticks at least as often, in seconds. A tick asks for a sweep of claims, and for a look at call-backs,
#: where there are any (`tasks.runtime.tick`).
TICK_SECONDS = 5.0
