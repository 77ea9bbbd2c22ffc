"""Loose pictures in, PNGs out: whatever the tree and the command line, no file of the user's changes."""

import errno
import fcntl
import hashlib
import itertools
import os
import stat
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anidata import ownership, storage, workspace
from anidata.errors import SourceError, StorageError
from anidata.imaging import encode
from anidata.imaging.loose import job, marks, pictures, targets, writing
from anidata.imaging.loose.job import Job
from drawings import drawing, save

PICTURE = drawing(1, 8, 8)
LEFT = ".x.png.0123abcd.anidata"  # by its name one of ours


def half(rgb):
    """What stands in for a style."""
    return encode.encode_png(rgb // 2)


def run(paths, output, how=1, made=half, **options):
    return job.plan([Path(p) for p in paths], Job("draw", Path(output), **options)).each([how], made)


def tree(folder):
    """Every file and link below a folder: its bytes' hash, or where it leads; its mode and date."""
    files = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        if path.is_symlink():
            files[path] = str(path.readlink())
        elif path.is_file():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            files[path] = (digest, status.st_mode, status.st_mtime_ns)
    return files


def names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


# --- targets


def test_the_original_is_never_the_target(tmp_path, monkeypatch):
    save(tmp_path / "x.png", PICTURE)
    before = tree(tmp_path)
    monkeypatch.chdir(tmp_path)
    for output in (".", "../" + tmp_path.name, tmp_path, "new/.."):
        done = run(["x.png"], output, overwrite=True)
        assert (len(done.written) + len(done.skipped), done.kept, done.failed) == (1, {}, {})
    assert names(tmp_path) == ["x.png", "x.png.png"]
    assert before.items() <= tree(tmp_path).items()


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_nor_a_link_to_it(tmp_path, link):
    original = save(tmp_path / "in/x.png", PICTURE)
    (tmp_path / "out").mkdir()
    link(original, tmp_path / "out/x.png")
    before = tree(tmp_path)
    done = run([original], tmp_path / "out", overwrite=True)
    assert done.written == [tmp_path / "out/x.png.png"]
    assert before.items() <= tree(tmp_path).items()


def test_nor_is_it_reached_through_a_linked_folder(tmp_path):
    original = save(tmp_path / "in/sub/x.png", PICTURE)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/sub").symlink_to(tmp_path / "in/sub")
    before = tree(tmp_path)
    done = run([tmp_path / "in"], tmp_path / "out", overwrite=True)
    assert tree(tmp_path) == before
    assert list(done.failed) == [str(original)]
    assert f"sub leads to {original.parent}, and nothing is written outside" in done.failed[str(original)]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["x.png", "deep", "deep/er", "deep/er/y.png"])
def test_no_link_below_the_output_folder_is_written_through(tmp_path, name, overwrite):
    for picture in ("x.jpg", "deep/er/y.jpg"):
        save(tmp_path / "in" / picture, PICTURE)
    decoy = tmp_path / "mine"
    for file in ("x.png", "y.png", "er/y.png"):
        save(decoy / file, drawing(9, 8, 8))
    for folder in (decoy, decoy / "er"):
        (folder / LEFT).write_bytes(b"mine")
    link = tmp_path / "out" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(decoy / Path(name).name if name.endswith(".png") else decoy)
    before = tree(decoy)
    run([tmp_path / "in"], tmp_path / "out", overwrite=overwrite)
    assert tree(decoy) == before
    assert link.is_symlink() != (overwrite and name.endswith(".png"))  # the link itself is what goes


def test_where_cases_may_be_one_a_name_in_another_case_is_an_input_too(tmp_path):
    """Also names whose accents are written otherwise, and of files that don't exist here."""
    composed = unicodedata.normalize("NFC", "é.PNG")
    guard = targets.Guard([save(tmp_path / composed, PICTURE), save(tmp_path / "X.PNG", PICTURE)])
    for name in ("é.PNG", "É.png", "x.png", "X.png"):
        for form in ("NFC", "NFD"):
            assert guard.holds(tmp_path / unicodedata.normalize(form, name))
    assert not guard.holds(tmp_path / "e.png")
    assert not guard.holds(tmp_path / "other/x.png")


def test_a_file_that_is_read_beside_the_pictures_is_not_written_over(tmp_path):
    picture, palette = save(tmp_path / "in/a.png", PICTURE), save(tmp_path / "a.png", PICTURE)
    before = tree(tmp_path)
    done = run([picture], tmp_path, overwrite=True, reads=(palette,))
    assert done.written == [tmp_path / "a.png.png"]
    assert before.items() <= tree(tmp_path).items()


def test_names_are_told_apart_by_ending_then_folder_then_way(tmp_path):
    def outputs(*sources):
        folder = tmp_path / "-".join(sources).replace("/", "")
        for source in sources:
            save(tmp_path / source, PICTURE)
        run([tmp_path / source for source in sources], folder)
        return names(folder)

    assert outputs("a/x.png", "a/y.png") == ["x.png", "y.png"]
    assert outputs("a/x.png", "a/x.jpg") == ["x.jpg.png", "x.png.png"]
    assert outputs("a/x.png", "b/x.png") == ["x.png.a.png", "x.png.b.png"]
    one, two = outputs("1/a/x.png", "2/a/x.png")
    assert one != two
    assert {len(one), len(two)} == {len("x.png.12345678.png")}


def test_the_order_changes_no_name(tmp_path):
    sources = [tmp_path / name for name in ("a/x.png", "b/x.png", "a/x.jpg", "a/x.png.gif", "c/d/x.png")]
    for source in sources:
        save(source, PICTURE)
    guard = targets.Guard(sources)
    ways = set()
    for order in itertools.permutations(sources):
        listed = pictures.gather(order, tmp_path / "out", "draw").pictures
        chosen = targets.of_pictures(listed, tmp_path / "out", guard)
        ways.add(frozenset((p.path, t.shown) for p, t in zip(listed, chosen, strict=True)))
    assert len(ways) == 1
    assert len({shown for _, shown in ways.pop()}) == len(sources)


def test_a_picture_named_twice_is_made_once(tmp_path, monkeypatch):
    save(tmp_path / "in/sub/x.png", PICTURE)
    monkeypatch.chdir(tmp_path)
    for paths in itertools.permutations(["in/sub/x.png", "in/./sub/../sub/x.png", "in", "in/sub"]):
        done = run(paths, "out")
        assert [*done.written, *done.skipped] == [Path("out/sub/x.png")]
        assert done.is_whole
    assert run(["in/sub/x.png", "in"], "two").written == [Path("two/sub/x.png")]
    assert names(tmp_path / "two") == ["sub/x.png"]


def test_two_folders_of_which_one_is_a_link_to_the_other_share_their_names(tmp_path):
    for folder in ("a", "b"):
        save(tmp_path / "in" / folder / "x.png", PICTURE)
    (tmp_path / "out/a").mkdir(parents=True)
    (tmp_path / "out/b").symlink_to("a")
    done = run([tmp_path / "in"], tmp_path / "out", overwrite=True)
    assert len(done.written) == len(names(tmp_path / "out/a")) == 2


def test_a_name_as_long_as_may_be_is_cut(tmp_path):
    longest = "é" * 125 + "x.png"  # 255 bytes
    for folder in ("a", "b"):
        save(tmp_path / folder / longest, PICTURE)
    done = run([tmp_path / "a" / longest, tmp_path / "b" / longest], tmp_path / "out")
    assert len(done.written) == len(names(tmp_path / "out")) == 2
    assert {len(os.fsencode(path.name)) for path in done.written} <= {254, 255}


def test_a_folder_that_stands_in_the_way_is_one_pictures_trouble(tmp_path):
    save(tmp_path / "in/x.png", PICTURE)
    save(tmp_path / "in/sub/y.png", PICTURE)
    save(tmp_path / "in/z.png", PICTURE)
    (tmp_path / "out/x.png").mkdir(parents=True)
    (tmp_path / "out/sub").write_text("a file")
    done = run([tmp_path / "in"], tmp_path / "out", overwrite=True)
    assert done.written == [tmp_path / "out/z.png"]
    assert done.kept == {str(tmp_path / "out/x.png"): "a folder is there"}
    assert list(done.failed) == [str(tmp_path / "in/sub/y.png")]
    assert (tmp_path / "out/sub").read_text() == "a file"


def test_an_output_that_is_a_file_is_a_typed_error(tmp_path):
    source = save(tmp_path / "x.png", PICTURE)
    with pytest.raises(SourceError, match=r"x\.png is a file; name a folder to write into: -o DIR"):
        run([source], source)


# --- what stands there


def test_a_file_of_the_users_is_kept_unless_told(tmp_path):
    source = save(tmp_path / "in/x.jpg", PICTURE)
    mine = save(tmp_path / "out/x.png", drawing(2, 9, 9))
    before = tree(tmp_path)
    done = run([source], tmp_path / "out")
    assert done.kept == {str(mine): "a file of yours is there"}
    assert not done.is_whole
    assert tree(tmp_path) == before
    assert run([source], tmp_path / "out", overwrite=True).written == [mine]
    assert marks.read(mine)


@pytest.mark.parametrize("make", [lambda p: p.symlink_to("nowhere"), os.mkfifo, Path.touch])
def test_so_is_a_dangling_link_a_pipe_and_an_empty_file(tmp_path, make):
    source = save(tmp_path / "in/x.jpg", PICTURE)
    (tmp_path / "out").mkdir()
    make(tmp_path / "out/x.png")
    before = (tmp_path / "out/x.png").lstat()
    assert list(run([source], tmp_path / "out").kept) == [str(tmp_path / "out/x.png")]
    assert (tmp_path / "out/x.png").lstat() == before
    assert names(tmp_path / "out") == ["x.png"]


def test_so_is_a_link_to_a_file_of_ours(tmp_path):
    source = save(tmp_path / "in/x.jpg", PICTURE)
    target = run([source], tmp_path / "out").written[0]
    target.rename(tmp_path / "out/best.png")
    target.symlink_to("best.png")
    assert run([source], tmp_path / "out").kept == {str(target): "a file of yours is there"}
    assert target.is_symlink()


def test_what_is_done_is_not_opened_again(tmp_path):
    save(tmp_path / "in/x.jpg", PICTURE)
    assert len(run([tmp_path / "in"], tmp_path / "out").written) == 1
    before = tree(tmp_path)
    done = run([tmp_path / "in"], tmp_path / "out", made=lambda rgb: 1 / 0, overwrite=True)
    assert (done.written, done.skipped) == ([], [tmp_path / "out/x.png"])
    assert done.is_whole
    assert tree(tmp_path) == before


def test_other_settings_or_a_changed_picture_replace_our_own_file(tmp_path):
    source = save(tmp_path / "in/x.png", PICTURE)
    for n in range(3):
        if n == 2:
            save(source, drawing(5, 8, 8))
        done = run([source], tmp_path / "out", how=min(n, 1))
        assert done.written == [tmp_path / "out/x.png"]
    assert np.array_equal(np.asarray(PIL.Image.open(tmp_path / "out/x.png")), drawing(5, 8, 8) // 2)


def test_what_was_made_of_another_picture_or_by_another_command_is_kept(tmp_path):
    one, two = save(tmp_path / "a/x.png", PICTURE), save(tmp_path / "b/x.png", drawing(2, 8, 8))
    run([one], tmp_path / "out")
    before = tree(tmp_path)
    assert list(run([two], tmp_path / "out").kept) == [str(tmp_path / "out/x.png")]
    other = job.plan([one], Job("colorize", tmp_path / "out")).each([1], half)
    assert "by another command" in other.kept[str(tmp_path / "out/x.png")]
    assert tree(tmp_path) == before


def test_a_moved_tree_knows_what_is_done(tmp_path):
    save(tmp_path / "one/in/x.png", PICTURE)
    run([tmp_path / "one/in"], tmp_path / "one/out")
    (tmp_path / "one").rename(tmp_path / "two")
    assert len(run([tmp_path / "two/in"], tmp_path / "two/out").skipped) == 1


def test_an_output_that_was_retouched_is_the_users(tmp_path):
    """Other pixels and the mark kept, as programs do that keep texts; a byte at the end; a byte less."""
    source = save(tmp_path / "in/x.png", PICTURE)
    target = run([source], tmp_path / "out").written[0]
    ours = target.read_bytes()
    with PIL.Image.open(target) as picture:
        text = PIL.PngImagePlugin.PngInfo()
        text.add_text("anidata", picture.text["anidata"])
        retouched = picture.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT)
    retouched.save(target, pnginfo=text)
    for data in (target.read_bytes(), ours + b"\0", ours[:-1]):
        target.write_bytes(data)
        assert list(run([source], tmp_path / "out", how=2).kept) == [str(target)]
        assert target.read_bytes() == data
    target.write_bytes(ours)
    assert run([source], tmp_path / "out", how=2).written == [target]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"mark":1,"rest":""}', b"\xff" * 50])
def test_a_mark_that_is_none_is_no_mark(tmp_path, body):
    data = half(PICTURE)
    chunk = marks.png.chunk(b"tEXt", b"anidata\0" + body)
    (tmp_path / "x.png").write_bytes(data[:33] + chunk + data[33:])
    assert marks.read(tmp_path / "x.png") is None


def test_a_mark_changes_no_pixel_and_tells_no_path(tmp_path):
    source = save(tmp_path / "in/secret-client.png", PICTURE)
    target = run([source], tmp_path / "out").written[0]
    assert np.array_equal(np.asarray(PIL.Image.open(target)), PICTURE // 2)
    assert np.array_equal(job.read(target), PICTURE // 2)
    assert b"secret" not in target.read_bytes()
    assert tmp_path.name.encode() not in target.read_bytes()


# --- what is taken in


def test_outputs_among_the_inputs_are_left_out(tmp_path):
    for name in ("x.png", "sub/y.jpg"):
        save(tmp_path / name, PICTURE)
    for output in (tmp_path, tmp_path / "lines", tmp_path / "sub/lines"):
        first = run([tmp_path], output)
        assert len(first.written) == 2, output
        again = run([tmp_path], output)
        assert (again.written, len(again.skipped)) == ([], 2)
        assert again.left_out >= 2
    assert len(names(tmp_path)) == 2 + 3 * 2


def test_so_they_are_where_a_shell_names_them(tmp_path, monkeypatch):
    for name in ("x.png", "y.png"):
        save(tmp_path / name, PICTURE)
    monkeypatch.chdir(tmp_path)
    for _ in range(3):
        done = run(sorted(Path().glob("*.png")), ".")
    assert (len(done.skipped), done.left_out) == (2, 2)
    assert names(tmp_path) == ["x.png", "x.png.png", "y.png", "y.png.png"]


def test_a_folder_of_another_commands_outputs_is_taken(tmp_path):
    save(tmp_path / "in/x.png", PICTURE)
    run([tmp_path / "in"], tmp_path / "lines")
    done = job.plan([tmp_path / "lines"], Job("colorize", tmp_path / "colored")).each([1], half)
    assert done.written == [tmp_path / "colored/x.png"]
    save(tmp_path / "lines/mine.png", PICTURE)
    inputs = pictures.gather([tmp_path / "lines"], tmp_path / "colored", "colorize")
    assert ([p.path.name for p in inputs.pictures], inputs.left_out) == (["mine.png"], 1)


def test_an_output_folder_within_is_left_out_whatever_lies_there(tmp_path):
    save(tmp_path / "x.png", PICTURE)
    save(tmp_path / "lines/theirs.png", PICTURE)
    save(tmp_path / "lines/deep/theirs.png", PICTURE)
    done = run([tmp_path], tmp_path / "lines")
    assert (done.written, done.left_out) == ([tmp_path / "lines/x.png"], 2)


def test_an_output_that_is_named_and_lies_elsewhere_is_taken(tmp_path):
    target = run([save(tmp_path / "x.jpg", PICTURE)], tmp_path / "lines").written[0]
    done = run([target], tmp_path / "again")
    assert (done.written, done.left_out) == ([tmp_path / "again/x.png"], 0)


def test_hidden_files_and_linked_folders_are_passed_by(tmp_path):
    save(tmp_path / "in/x.png", PICTURE)
    save(tmp_path / "in/.thumbs/x.png", PICTURE)
    save(tmp_path / "in/._x.png", PICTURE)
    (tmp_path / "in/loop").symlink_to(tmp_path / "in")
    assert [p.path for p in pictures.gather([tmp_path / "in"], tmp_path, "draw").pictures] == [
        tmp_path / "in/x.png"
    ]


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    done = run([tmp_path / "pipe.png"], tmp_path / "out")
    assert done.failed == {str(tmp_path / "pipe.png"): "unreadable: no regular file: it isn't opened"}


# --- writing


def test_a_file_that_appears_meanwhile_stays(tmp_path):
    source = save(tmp_path / "x.jpg", PICTURE)
    target = tmp_path / "out/x.png"

    def slow(rgb):
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(b"mine")
        return half(rgb)

    assert list(run([source], tmp_path / "out", made=slow).kept) == [str(target)]
    assert target.read_bytes() == b"mine"
    assert names(tmp_path / "out") == ["x.png"]


def test_so_does_one_that_takes_our_own_files_place(tmp_path):
    source = save(tmp_path / "x.jpg", PICTURE)
    target = run([source], tmp_path / "out").written[0]

    def slow(rgb):
        target.write_bytes(b"mine")
        return half(rgb)

    assert list(run([source], tmp_path / "out", how=2, made=slow).kept) == [str(target)]
    assert target.read_bytes() == b"mine"


def test_nor_is_an_input_written_over_that_moves_there_meanwhile(tmp_path):
    first, second = (save(tmp_path / name, PICTURE) for name in ("1.jpg", "2.jpg"))
    (tmp_path / "out").mkdir()

    def linking(rgb):
        second.replace(tmp_path / "out/1.png")
        return half(rgb)

    done = run([first, second], tmp_path / "out", made=linking, overwrite=True)
    assert done.kept == {str(tmp_path / "out/1.png"): "it is one of the files that are read"}
    assert done.failed == {str(second): "missing: the file is gone"}
    assert (tmp_path / "out/1.png").read_bytes()[:3] == b"\xff\xd8\xff"  # a JPEG, as it was
    assert names(tmp_path / "out") == ["1.png"]


def no_links(*_, **__):
    raise OSError(errno.EPERM, "no links here")


def test_without_links_nothing_is_written_over_either(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "link", no_links)
    assert writing.put(tmp_path, tmp_path / "new.png", b"ours", None)
    (tmp_path / "old.png").write_bytes(b"mine")
    assert not writing.put(tmp_path, tmp_path / "old.png", b"ours", None)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"new.png": b"ours", "old.png": b"mine"}


@pytest.mark.parametrize("fault", ["write", "fsync", "rename"])
def test_nothing_is_left_behind_on_failure(tmp_path, monkeypatch, fault):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    if fault == "rename":
        monkeypatch.setattr(os, "link", no_links)
    monkeypatch.setattr(os, {"write": "fchmod", "fsync": "fsync", "rename": "replace"}[fault], full)
    part = tmp_path / "z.png.part"
    part.write_bytes(b"mine")
    with pytest.raises(StorageError, match="No space left"):
        writing.put(tmp_path, tmp_path / "z.png", b"ours", None)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"z.png.part": b"mine"}


def test_a_users_part_file_is_never_touched(tmp_path):
    source = save(tmp_path / "z.jpg", PICTURE)
    part = tmp_path / "out/z.png.part"
    part.parent.mkdir()
    part.write_bytes(b"half a download")
    before = tree(part.parent)
    run([source], tmp_path / "out")
    assert before.items() <= tree(part.parent).items()


def test_a_file_is_its_owners_alone_until_it_is_whole(tmp_path, monkeypatch):
    modes = []
    change = os.fchmod

    def watching(handle, mode):
        modes.append(stat.S_IMODE(os.fstat(handle).st_mode))
        change(handle, mode)

    monkeypatch.setattr(os, "fchmod", watching)
    monkeypatch.setattr(storage, "MODE", 0o640)  # as a process has it that is started under this umask
    before = os.umask(0o027)
    try:
        writing.put(tmp_path, tmp_path / "x.png", b"ours", None)
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert modes == [0o600]
    assert stat.S_IMODE((tmp_path / "x.png").stat().st_mode) == 0o640


# --- leftovers

KILLED = """
import os, signal, sys
from pathlib import Path
from anidata.imaging.loose import writing
def kill(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
setattr(os, sys.argv[2], kill)
writing.put(Path(sys.argv[1]), Path(sys.argv[1], "deep/x.png"), b"x" * 999, None)
"""


@pytest.mark.parametrize("step", ["fsync", "fchmod", "link"])
def test_what_a_killed_command_had_begun_goes_with_the_next_one(tmp_path, step):
    source, output = save(tmp_path / "in/deep/x.jpg", PICTURE), tmp_path / "out"
    subprocess.run([sys.executable, "-c", KILLED, output, step], check=False)
    [left] = names(output)
    assert ownership.is_leftover(Path(left).name)
    run([source.parents[1]], output)
    assert names(output) == ["deep/x.png"]


def test_what_another_command_is_writing_is_left_to_it(tmp_path, monkeypatch):
    source, output = save(tmp_path / "x.jpg", PICTURE), tmp_path / "out"
    synced, during = os.fsync, []

    def syncing(handle):
        if stat.S_ISREG(os.fstat(handle).st_mode):
            writing.sweep(output, output)
            during.append(names(output))
        synced(handle)

    monkeypatch.setattr(os, "fsync", syncing)
    assert run([source], output).written == [output / "x.png"]
    [[draft]] = during
    assert ownership.is_leftover(draft)
    assert names(output) == ["x.png"]


def test_a_file_swept_before_it_is_locked_is_begun_anew(tmp_path, monkeypatch):
    lock, todo = fcntl.flock, [1, 2]

    def locking(handle, how):
        if todo:
            todo.pop()
            writing.sweep(tmp_path, tmp_path)
        lock(handle, how)

    monkeypatch.setattr(fcntl, "flock", locking)
    assert writing.put(tmp_path, tmp_path / "x.png", b"ours", None)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"x.png": b"ours"}


def test_what_is_no_file_or_not_by_our_name_is_no_leftover(tmp_path):
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / LEFT.replace("x", "link")).symlink_to(tmp_path / "mine")
    (tmp_path / LEFT.replace("x", "folder")).mkdir()
    os.mkfifo(tmp_path / LEFT.replace("x", "pipe"))
    for name in ("x.png.0123abcd.anidata", ".x.png.0123abcd", ".x.png.tmp", "x.png.part"):
        (tmp_path / name).write_bytes(b"mine")
    (tmp_path / LEFT).write_bytes(b"ours")
    before = names(tmp_path)
    writing.sweep(tmp_path, tmp_path)
    assert set(before) - set(names(tmp_path)) == {LEFT}


def test_an_output_folder_that_is_a_link_to_nothing_is_told(tmp_path):
    save(tmp_path / "x.jpg", PICTURE)
    (tmp_path / "out").symlink_to(tmp_path / "mine/new")
    with pytest.raises(SourceError, match="out is a link that leads nowhere"):
        run([tmp_path / "x.jpg"], tmp_path / "out")
    assert not (tmp_path / "mine").exists()


def test_what_lies_in_a_workspace_is_left_to_its_own_commands(tmp_path):
    workspace.create(tmp_path / "work")
    for folder in ("work", "work/pairs", "set"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / LEFT).write_bytes(b"")
        writing.sweep(tmp_path / folder, tmp_path / folder)
    assert [p.relative_to(tmp_path).parts[0] for p in tmp_path.rglob(LEFT)] == ["work", "work"]


# --- all of it, at random

WORDS = st.sampled_from(["a", "A", "b", "é", "e\u0301", "a.png"])
ENDINGS = st.sampled_from([".png", ".PNG", ".jpg", ".part"])
PLACES = st.sampled_from(["in", "in/s", "in/S", "out", "out/s", "."])
FILES = st.lists(st.tuples(PLACES, WORDS, ENDINGS, st.sampled_from(["file", "symlink", "hard"])), max_size=9)
GIVEN = st.sampled_from([["in"], ["out"], ["."], ["in", "out"], ["in/s", "in"], ["*"]])
OUTPUTS = st.sampled_from(["out", ".", "in", "in/../out", "in/s", "new/deep"])


def plant(home, files):
    """A tree of pictures with links among them; some are of our own making."""
    save(home / "in/first.png", PICTURE)
    for n, (folder, word, ending, kind) in enumerate(files):
        path = home / folder / f"{word}{ending}"
        if os.path.lexists(path):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "file":
            path.write_bytes(encode.encode_png(drawing(n, 8, 8)))
        elif kind == "hard":
            path.hardlink_to(home / "in/first.png")
        else:
            path.symlink_to(home / "in/first.png")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=FILES, words=GIVEN, output=OUTPUTS, overwrite=st.booleans())
def test_no_tree_and_no_command_line_loses_a_file(tmp_path_factory, files, words, output, overwrite):
    """Inputs never change; nor does anything else, unless --overwrite says so; a second run does nothing."""
    home = tmp_path_factory.mktemp("tree")
    plant(home, files)

    def given_paths():
        paths = sorted(home.rglob("*.*g")) if words == ["*"] else [home / w for w in words]
        return [path for path in paths if path.exists()]

    paths = given_paths()
    read = {p.path.stat().st_ino for p in pictures.gather(paths, home / output, "draw").pictures}
    before = tree(home)
    safe = {p: s for p, s in before.items() if not overwrite or p.stat().st_ino in read}
    done = run(paths, home / output, overwrite=overwrite)
    after = tree(home)
    assert safe.items() <= after.items()
    assert not done.failed
    assert len(set(done.written)) == len(done.written)
    assert set(after) - set(before) <= {path.resolve() for path in done.written}
    assert not list(home.rglob(".*.anidata"))
    again = run(given_paths(), home / output, overwrite=overwrite)
    assert again.written == []
    assert tree(home) == after
    assert set(again.skipped) == set(done.written) | set(done.skipped)
