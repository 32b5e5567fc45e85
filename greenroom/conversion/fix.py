"""One file in, a better one out: who fixes it, where it goes, and whether it really is accepted now."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from greenroom.conversion import image, limits, video
from greenroom.conversion.deadline import Deadline
from greenroom.conversion.engine import Engine, engine_for
from greenroom.conversion.job import ConversionJob, Draft
from greenroom.conversion.output import put, scratch
from greenroom.conversion.probe import FFMPEG_ERRORS
from greenroom.errors import CannotFix, SourceChanged
from greenroom.figures import human_size
from greenroom.file_names import safe_file_name
from greenroom.fixed_file import FixedFile
from greenroom.inspection import inspect_file
from greenroom.reasons import ADVICE, Reason
from greenroom.rules import Category
from greenroom.verdict import Verdict

#: Reasons that no conversion cures.
_HOPELESS: Final = frozenset(
    {
        Reason.EMPTY,
        Reason.MISSING,
        Reason.UNREADABLE,
        Reason.ENCRYPTED,
        Reason.BROKEN,
        Reason.NOT_TEXT,
        Reason.REFUSED_BY_PROVIDER,
        Reason.UPLOAD_FAILED,
    }
)
#: Notices on an accepted file that fixing acts upon.
_BETTERED: Final = frozenset(
    {
        "exif_orientation",
        "sticker_dimensions",
        "index_at_end",
        "high_profile_b_frames",
        "exotic_h264",
        "several_video_tracks",
        "opus_not_mono",
        "starts_late",
        "chained",
    }
)
_CONVERTERS: Final[dict[Engine, Callable[[ConversionJob], Draft]]] = {
    Engine.PILLOW: image.fix_image,
    Engine.HEIF: image.fix_heif,
    Engine.FFMPEG: video.fix_video,
}
#: Endings of types that only fixing meets; inspection's own are replaced by ``safe_file_name``.
_ENDINGS: Final = frozenset({
    ".mka", ".mp1", ".mp2", ".mpa", ".wv", ".tta", ".ape", ".dts", ".ac3", ".eac3", ".w64", ".au", ".snd",
    ".voc", ".awb", ".spx",
    ".ra", ".rm", ".rmvb", ".divx", ".xvid", ".asf", ".ogm", ".dv", ".mxf", ".ivf", ".mts", ".m2v", ".h264",
    ".264", ".h265", ".265", ".hevc", ".qt", ".aifc", ".dib", ".jpf", ".jpx", ".j2k", ".j2c", ".pcx", ".tga",
    ".ppm", ".pgm", ".pbm", ".pnm", ".qoi",
})  # fmt: skip
_UNKNOWN_TO_FFMPEG: Final = "Greenroom cannot read it: it is damaged, protected or of a rare kind."
_CHUNK: Final = 1024 * 1024


def fix_file(
    path: Path,
    verdict: Verdict,
    into: Path,
    *,
    name: str | None = None,
    kind: Category | None = None,
    seconds: float = limits.MOST_SECONDS,
) -> FixedFile | None:
    """Make of a file one that WhatsApp takes, or takes more gladly.

    A file that is accepted as it is stays so: where it could be better and cannot be made so, the answer is
    None, not an error. The same file gives the same bytes again with the same libraries.

    Args:
        path: the original; never changed.
        verdict: what ``inspect_file`` said of it.
        into: an existing folder for the new file.
        name: what to call it, by default as the original; its ending becomes the right one, and where the
            name is taken it gets a number.
        kind: the category that the manifest asks for.
        seconds: time that the work may take.

    Returns:
        None where nothing needs to be done.

    Raises:
        CannotFix: the text says why.
        SourceChanged: the file is not the one that the verdict is about.
        OSError: the folder cannot be written to.
    """
    if verdict.accepted and not any(notice.code in _BETTERED for notice in verdict.notices):
        return None
    try:
        return _fix(path, verdict, into, name=name or path.name, kind=kind, deadline=Deadline(seconds))
    except CannotFix:
        if verdict.accepted:
            return None
        raise


def _fix(
    path: Path, verdict: Verdict, into: Path, *, name: str, kind: Category | None, deadline: Deadline
) -> FixedFile:
    if verdict.reason in _HOPELESS or (verdict.reason is Reason.WRONG_KIND and kind is None):
        raise _hopeless(verdict)
    engine = engine_for(path)
    if engine is None or kind is Category.DOCUMENT:
        raise _hopeless(verdict)
    original = _hash(path)
    if verdict.sha256 not in (None, original):
        raise SourceChanged("The file has changed since it was inspected; inspect it again.")
    with scratch(into) as out:
        job = ConversionJob(path=path, out=out, verdict=verdict, kind=kind, deadline=deadline)
        draft = _drafted(engine, job)
        if draft.data is not None:
            out.write_bytes(draft.data)
        new_name = safe_file_name(_without_ending(name), draft.mime_type)
        after = inspect_file(out, name=new_name, kind=kind)
        if not after.accepted or after.sha256 is None:
            raise CannotFix(f"Fixing did not help: {after.detail}")
        placed = put(out, into, new_name)
    return FixedFile(
        path=placed, steps=draft.steps, original_sha256=original, sha256=after.sha256, verdict=after
    )


def _drafted(engine: Engine, job: ConversionJob) -> Draft:
    """What an engine makes of the file; of a type that it turns out not to read, what the file is."""
    try:
        return _CONVERTERS[engine](job)
    except CannotFix as error:
        if str(error) == FFMPEG_ERRORS and job.verdict.reason is Reason.TYPE_NOT_SUPPORTED:
            raise CannotFix(f"{job.verdict.detail} {_UNKNOWN_TO_FFMPEG}") from error
        raise


def _without_ending(name: str) -> str:
    """The name without an ending that belonged to the original's type and that inspection does not know."""
    ending = Path(name).suffix
    return name.removesuffix(ending) if ending.lower() in _ENDINGS else name


def _hopeless(verdict: Verdict) -> CannotFix:
    """What inspection found, and what a person can do about it."""
    advice = ADVICE[verdict.reason] if verdict.reason else "There is nothing to fix."
    return CannotFix(f"{verdict.detail} {advice}".strip())


def _hash(path: Path) -> str:
    """SHA-256 of the whole file, within bounds."""
    size = path.stat().st_size
    if size > limits.LARGEST_ORIGINAL:
        raise CannotFix(
            f"This file is {human_size(size)}; fixing takes on files up to "
            f"{human_size(limits.LARGEST_ORIGINAL)}. {ADVICE[Reason.TOO_LARGE]}"
        )
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
