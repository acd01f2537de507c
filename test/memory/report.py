"""Prints what valgrind found in its XML file, and fails if there is anything: memory misused by anybody, and memory lost by the
extension or librdkafka. What PostgreSQL itself loses at its end is its own affair."""

import sys
import xml.etree.ElementTree as ElementTree

OURS = ("kafka_fdw.so", "librdkafka")


def is_ours(error):
    return any(name in (frame.findtext("obj") or "") for frame in error.iter("frame") for name in OURS)


def describe(error):
    yield error.findtext("what") or error.findtext("xwhat/text")
    for stack in error.findall("stack"):
        yield "  at"
        for frame in stack.findall("frame"):
            place = f"{frame.findtext('file')}:{frame.findtext('line')}" if frame.findtext("line") else frame.findtext("obj")
            yield f"    {frame.findtext('fn') or frame.findtext('ip')} ({place})"


def main():
    errors = ElementTree.parse(sys.argv[1]).getroot().findall("error")
    findings = [error for error in errors if not error.findtext("kind").startswith("Leak_") or is_ours(error)]
    for error in findings:
        print("\n".join(describe(error)), file=sys.stderr)
    if findings:
        sys.exit(f"memory: {len(findings)} findings")


main()
