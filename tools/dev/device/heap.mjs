// Measure what programs take from the heap of the 32-bit MicroPython.
//
//     node heap.mjs MODULE FOLDER < programs.json
//
// MODULE is micropython.mjs, FOLDER holds compiled packages, and the programs are pairs [what runs before, what is
// measured]. Prints a JSON list of bytes. The collector works between top-level runs only, and it is conservative:
// what a run has left on the C stack is taken for references until other calls have overwritten it.

import { readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modulePath, folder] = process.argv.slice(2);
const { loadMicroPython } = await import(pathToFileURL(modulePath));
const HEAP_SIZE = 1024 * 1024;
const READINGS = 5;

function copyFolder(fs, source, target) {
    fs.mkdir(target);
    for (const entry of readdirSync(source, { withFileTypes: true })) {
        const [from, to] = [join(source, entry.name), `${target}/${entry.name}`];
        if (entry.isDirectory()) {
            copyFolder(fs, from, to);
        } else {
            fs.writeFile(to, readFileSync(from));
        }
    }
}

async function measure(before, measured) {
    let printed = "";
    const mp = await loadMicroPython({ heapsize: HEAP_SIZE, stdout: (text) => (printed += text), linebuffer: true });
    copyFolder(mp.FS, folder, "/packages");
    mp.runPython("import sys, gc\nsys.path[:] = ['/packages']\ndef deep(n):\n    return n and deep(n - 1) + 1");
    mp.runPython("readings = [0] * 20\nkept = faction = None"); // what is measured finds its names in place
    const read = (at) => {
        for (let i = 0; i < 3; i++) {
            mp.runPython("deep(20)");
            mp.runPython("gc.collect()");
        }
        mp.runPython(`readings[${at}] = gc.mem_alloc()`);
    };
    // The same statements before and after, so that the names and the code objects of the reading itself cancel out.
    const settle = (from) => {
        for (let i = 0; i < READINGS; i++) {
            read(from + i);
        }
    };
    mp.runPython(before);
    settle(0);
    settle(READINGS);
    mp.runPython(measured);
    settle(2 * READINGS);
    mp.runPython(`print(min(readings[${2 * READINGS}:${3 * READINGS}]) - min(readings[${READINGS}:${2 * READINGS}]))`);
    return Number(printed);
}

const programs = JSON.parse(readFileSync(0, "utf8"));
try {
    const taken = [];
    for (const [before, measured] of programs) {
        taken.push(await measure(before, measured));
    }
    writeSync(1, JSON.stringify(taken) + "\n");
} catch (error) {
    writeSync(2, error.message); // without the interpreter's own source, which is one line of 100 KB
    process.exitCode = 1;
}
