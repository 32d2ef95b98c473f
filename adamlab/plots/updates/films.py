"""Figures that move, and their files: GIF by Pillow, MP4 by ffmpeg."""

import base64
import io
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from adamlab.errors import InputError, reason
from adamlab.plots.picture import Picture, lay_out

MOVING = (".gif", ".mp4")
"""The endings of files that move."""

FRAME = 50
"""The milliseconds that a frame is shown."""

HOLD = 2500
"""The milliseconds that the last frame is shown."""

COLORS = 255
"""The colours of a GIF, the same in all of its frames."""

Advance = Callable[[int, int], None]
"""Is told how many frames are done, of how many."""


class Film(Picture):
    """A figure with frames, of which a picture that does not move shows the last.

    Attributes:
        frames: the number of frames.
        set_frame: `set_frame(frame)` sets the artists as they are in a frame, counted from 0.
        moving: the artists that differ between frames, and are drawn over all others.
    """

    def __init__(self, **how: Any):
        super().__init__(**how)
        self.frames = 1
        self.set_frame: Callable[[int], None] = lambda frame: None
        self.moving: Sequence[Artist] = ()

    def _repr_html_(self) -> str:
        file = io.BytesIO()
        _write_gif(self.pixels(), file)
        data = base64.b64encode(file.getvalue()).decode()
        return f'<img alt="{escape(str(self.get_label()), quote=True)}" src="data:image/gif;base64,{data}">'

    def pixels(self) -> Iterator[np.ndarray]:
        """The pixels of each frame (height, width, 3); what stays the same is drawn once."""
        canvas = FigureCanvasAgg(self)
        lay_out(self)
        for artist in self.moving:
            artist.set_animated(True)
        canvas.draw()
        background = canvas.copy_from_bbox(self.bbox)
        for frame in range(self.frames):
            canvas.restore_region(background)
            self.set_frame(frame)
            for artist in self.moving:
                self.draw_artist(artist)
            yield np.asarray(canvas.buffer_rgba())[..., :3].copy()
        for artist in self.moving:
            artist.set_animated(False)


def write_film(figure: Figure, path: Path, advance: Advance | None = None) -> None:
    """Write a film as GIF or MP4.

    Raises:
        InputError: the figure is no film, or there is no ffmpeg for an MP4.
        OSError: the file cannot be written.
    """
    if not isinstance(figure, Film):
        raise InputError("this picture does not move; choose a name that ends with .png or .svg.")
    write = _write_gif if path.suffix == ".gif" else _write_mp4
    write(_told(figure, advance or (lambda done, frames: None)), path)


def _told(film: Film, advance: Advance) -> Iterator[np.ndarray]:
    for frame, image in enumerate(film.pixels()):
        yield image
        advance(frame + 1, film.frames)


def _write_gif(images: Iterator[np.ndarray], file: Path | io.BytesIO):
    frames = [Image.fromarray(image) for image in images]
    palette = _palette(frames)
    drawn = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    durations = [FRAME] * (len(drawn) - 1) + [HOLD]
    drawn[0].save(file, "GIF", save_all=True, append_images=drawn[1:], duration=durations, loop=0, optimize=True)


def _palette(frames: Sequence[Image.Image]) -> Image.Image:
    """An image whose palette is the colours that most pixels of the first, a middle and the last frame have."""
    chosen = np.stack([np.asarray(frame) for frame in (frames[0], frames[len(frames) // 2], frames[-1])])
    colors, counts = np.unique(chosen.reshape(-1, 3) @ np.array([1 << 16, 1 << 8, 1]), return_counts=True)
    common = colors[np.argsort(-counts, kind="stable")[:COLORS]]
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.stack([common >> 16, common >> 8 & 255, common & 255], axis=1).astype(np.uint8).tobytes())
    return palette


def _write_mp4(images: Iterator[np.ndarray], path: Path):
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise InputError("this takes the program ffmpeg, which is not on the path; install it, or write a .gif.")
    frames = [*images]
    height, width = (side // 2 * 2 for side in frames[0].shape[:2])  # yuv420p halves both
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{1000 / FRAME:g}", "-i", "-"]
    held = ["-vf", f"tpad=stop_mode=clone:stop_duration={HOLD / 1000:g}"]
    coded = [*held, "-pix_fmt", "yuv420p", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-threads", "1"]
    command = [ffmpeg, "-loglevel", "error", "-y", *raw, *coded, str(path)]
    pixels = b"".join(frame[:height, :width].tobytes() for frame in frames)
    done = subprocess.run(command, input=pixels, capture_output=True, check=False)
    if done.returncode:
        raise InputError(f"ffmpeg says {reason(ValueError(done.stderr.decode(errors='replace')), 300)}")
