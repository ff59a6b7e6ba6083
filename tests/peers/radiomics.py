#!/usr/bin/env python3
"""Ichor's radiomics beside pyradiomics, as it is by default and cut to the mask: the same cases, the same run.

    radiomics.py --describe target/release/examples/describe --cases DIR --parameters FILE.yaml [--case c1 --case c2] [--runs 3]

Build ours with `cargo build --release -p ichor-radiomics --example describe`. Needs pyradiomics 3.0.1 with numpy below 2,
SimpleITK and PyWavelets. DIR holds CASE_image.nii.gz and CASE_mask.nii.gz. Every measurement is a process of its own, on one
thread; processor seconds are the median of the runs, ours with start and reading, theirs with reading and without imports.
Peak memory is that of the whole process. The last column is the largest relative difference of a feature to pyradiomics as it
is by default, that of skewness below 1 as it stands, and how many features differ by more than 1e-3."""
import argparse, json, os, resource, statistics, subprocess, sys, tempfile

PAD = 20


def theirs(image, mask, parameters, crop):
    """Runs in a child: prints seconds, peak memory and the features."""
    import logging, time
    sys.path.pop(0)  # This file has the name of their package.
    import SimpleITK as sitk
    import radiomics
    from radiomics import featureextractor
    radiomics.setVerbosity(logging.CRITICAL)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    began = time.process_time()
    extractor = featureextractor.RadiomicsFeatureExtractor(parameters)
    if crop:
        extractor.settings.update(preCrop=True, padDistance=PAD)
    found = extractor.execute(image, mask)
    seconds = time.process_time() - began
    features = {name: float(value) for name, value in found.items() if not name.startswith("diagnostics")}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    json.dump({"seconds": seconds, "peak": peak, "features": features}, sys.stdout)


def run_theirs(image, mask, parameters, crop):
    command = [sys.executable, os.path.abspath(__file__), "--child", image, mask, parameters, "crop" if crop else "whole"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return json.loads(done.stdout)


def run_ours(describe, image, mask, parameters):
    with tempfile.TemporaryFile("w+") as out:
        child = subprocess.Popen([describe, image, mask, parameters], stdout=out)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            sys.exit(f"radiomics.py: {describe} failed on {image}")
        out.seek(0)
        features = {name: float(value) for name, value in (line.rstrip().split(",") for line in out)}
    return {"seconds": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss / 1024, "features": features}


def difference(found, expected):
    def apart(name):
        least = 1.0 if name.endswith("_Skewness") else 0.0
        gap = abs(found.get(name, float("nan")) - expected[name])
        return 0.0 if gap == 0 else gap / max(abs(expected[name]), least, 1e-300)
    gaps = [apart(name) for name in expected]
    return max(gaps), sum(gap > 1e-3 for gap in gaps)


def main():
    if len(sys.argv) > 1 and sys.argv[1] == "--child":
        image, mask, parameters, how = sys.argv[2:]
        return theirs(image, mask, parameters, how == "crop")
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--describe", required=True, metavar="PROGRAM")
    options.add_argument("--cases", required=True, metavar="DIR")
    options.add_argument("--parameters", required=True, metavar="FILE")
    options.add_argument("--case", action="append", metavar="NAME")
    options.add_argument("--runs", type=int, default=3)
    given = options.parse_args()
    print(f"{'case':6}{'':26}{'processor s':>12}{'ratio':>8}{'peak MB':>9}{'features':>10}  furthest, over 1e-3")
    for case in given.case or ["c1", "c2"]:
        image, mask = (os.path.join(given.cases, f"{case}_{what}.nii.gz") for what in ("image", "mask"))
        # One after the other in every round, so that what else runs here falls on all alike.
        rounds = [[run_ours(given.describe, image, mask, given.parameters), run_theirs(image, mask, given.parameters, False),
                   run_theirs(image, mask, given.parameters, True)] for _ in range(given.runs)]
        rows = list(zip(*rounds))
        seconds = [statistics.median(run["seconds"] for run in row) for row in rows]
        for name, row, taken in zip(["ichor", "pyradiomics", f"pyradiomics, crop + {PAD}"], rows, seconds):
            furthest, far = difference(row[0]["features"], rows[1][0]["features"])
            peak = max(run["peak"] for run in row)
            print(f"{case:6}{name:26}{taken:12.3f}{taken / seconds[0]:8.1f}{peak:9.0f}{len(row[0]['features']):10}  {furthest:.1e}, {far}", flush=True)


if __name__ == "__main__":
    main()
