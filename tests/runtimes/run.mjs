// Run the portable tests on the 32-bit MicroPython, as "micropython run.py" does on the unix port:
//
//     node run.mjs /lib=build/mpy /tests=tests/portable -- test_machine --token=...
//
// Each folder named before "--" is copied into the interpreter's own file system, sources, compiled files and recorded frames, and
// goes on its path; the tests' folder must hold run.py. What comes after "--" are the arguments of run.steps. A word without "="
// before "--" names another module whose main is run.

import { readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { loadMicroPython } from "@micropython/micropython-webassembly-pyscript/micropython.mjs";
import { quickenCalls } from "./longjmp.mjs";

const STDOUT = 1;

function copyFolder(fs, source, target) {
    if (!fs.analyzePath(target).exists) {
        fs.mkdir(target);
    }
    for (const entry of readdirSync(source, { withFileTypes: true })) {
        const [from, to] = [join(source, entry.name), `${target}/${entry.name}`];
        if (entry.isDirectory() && entry.name !== "__pycache__") {
            copyFolder(fs, from, to);
        } else if (/\.(m?py|frames)$/.test(entry.name)) {
            fs.writeFile(to, readFileSync(from));
        }
    }
}

// Not process.stdout.write, which may keep what it is given in memory when a test never ends.
function write(bytes) {
    writeSync(STDOUT, bytes);
}

async function main(args) {
    const end = args.indexOf("--");
    quickenCalls();
    const mp = await loadMicroPython({ stdout: write, linebuffer: false });
    mp.runPython("import sys");
    const module = args.slice(0, end).find((word) => !word.includes("="));
    for (const mount of args.slice(0, end).filter((word) => word.includes("="))) {
        const [target, source] = mount.split("=");
        copyFolder(mp.FS, source, target);
        mp.runPython(`sys.path.insert(0, ${JSON.stringify(target)})`);
    }
    const words = JSON.stringify(args.slice(end + 1));
    if (module) {
        mp.runPython(`import ${module}\ncode = ${module}.main(${words})`);
        return mp.globals.get("code");
    }
    mp.runPython(`import gc, run\nsteps = run.steps(${words})`);
    do {
        mp.runPython("gc.collect()\ncode = next(steps)"); // collects when the call is over
    } while (mp.globals.get("code") === null);
    return mp.globals.get("code");
}

try {
    process.exitCode = await main(process.argv.slice(2));
} catch (error) {
    writeSync(STDOUT, `${error.message}\n`); // what ended the run: the device's own traceback
    process.exitCode = 1;
}
