"""Bounds on what fixing takes on, and floors of quality under which it refuses; each is our own choice."""

from __future__ import annotations

from typing import Final

from greenroom.rules import KIB, MIB

#: Bytes of an original. Phones write videos of several hundred megabytes, which is what fixing is for.
LARGEST_ORIGINAL: Final = 2048 * MIB
#: Seconds of work on one file.
MOST_SECONDS: Final = 600.0
#: Bytes of memory that one file may take; `greenroom.isolation.resource_limits` holds a process to it. What
#: follows is chosen so that an image stays under it.
MOST_MEMORY: Final = 512 * MIB
#: Pixels of an image that is worked with: copies in other colours, turned, packed, take up to 14 bytes each.
#: A larger JPEG is unpacked at a half or less, others are brought down as soon as they are unpacked.
WORKED_WITH: Final = 24_000_000
#: Pixels of an image of any kind, and bytes that one is unpacked to: one a pixel in grey, four in colours.
MAX_ORIGINAL_PIXELS: Final = 100_000_000
MOST_UNPACKED: Final = 256 * MIB
#: The same of formats whose decoders hold the image several times over while they unpack it.
MOST_PIXELS_AT_ONCE: Final = 20_000_000
#: Pixels in one frame of a video: a little over 8K.
MOST_FRAME_PIXELS: Final = 8192 * 4352
#: Frames in an animation that becomes a video, and in one that becomes a sticker (1 MB each in memory).
MAX_FRAMES: Final = 3000
MAX_STICKER_FRAMES: Final = 240

#: Pillow's JPEG quality. Below 60, blocks show in skies and around letters.
BEST_JPEG: Final = 95
WORST_JPEG: Final = 60
#: Pillow's WebP quality; a sticker is small on the screen.
BEST_STICKER: Final = 95
WORST_STICKER: Final = 25

#: What a file has to be of its limit at most: a file exactly at the limit helps nobody.
FILL: Final = 0.98

#: Frames a second of a video; twice as many would take half of each frame's bits.
MOST_RATE: Final = 30
#: Bits for each pixel of each frame, below which H.264 falls apart into blocks when something moves.
LEAST_BITS: Final = 0.045
#: The smallest long side that a video is brought down to, and the steps on the way.
SIDES: Final = (1920, 1600, 1280, 960, 848, 640, 480)

#: Bits a second of mono Opus for speech, and the least that still sounds like a telephone call should.
VOICE_RATE: Final = 32_000
WORST_VOICE_RATE: Final = 24_000
#: Bits a second of stereo AAC for music, and the least before it is mixed down to mono Opus instead.
MUSIC_RATE: Final = 128_000
WORST_MUSIC_RATE: Final = 64_000
#: "plays as a voice note up to 512 KB": see ``greenroom.inspection.ogg``.
VOICE_NOTE: Final = 512 * KIB
