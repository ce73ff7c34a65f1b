// Keeps a recording in the browser while it is made and until it has arrived, so that nothing is lost by a call, a
// page that is closed, or a lost connection. Without storage, as in private windows, it is kept in memory alone.

let opening;

function database() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("tell", 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("recordings");
      request.result.createObjectStore("chunks");
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opening;
}

async function run(store, mode, act) {
  const transaction = (await database()).transaction(store, mode);
  const request = act(transaction.objectStore(store));
  await new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
  return request.result;
}

const chunksOf = (page) => IDBKeyRange.bound([page], [page, []]);

export const load = (page) => run("recordings", "readonly", (store) => store.get(page));
export const save = (page, recording) => run("recordings", "readwrite", (store) => store.put(recording, page));
export const addChunk = (page, number, chunk) =>
  run("chunks", "readwrite", (store) => store.put(chunk, [page, number]));
export const chunks = (page) => run("chunks", "readonly", (store) => store.getAll(chunksOf(page)));

export async function remove(page) {
  await run("chunks", "readwrite", (store) => store.delete(chunksOf(page)));
  await run("recordings", "readwrite", (store) => store.delete(page));
}
