-- A session of Neovim with `cnn lsp`: what the client was told, as JSON on the last line.
-- Arguments: the program and its words, then the file.
local words = vim.split(vim.env.CNN_LSP, '\n')
local told = {}

local function wait_for(what, condition)
  if not vim.wait(60000, condition, 20) then error('waited in vain for ' .. what) end
end

local function ask(client, method, params)
  local answer = client.request_sync(method, params, 60000, 0)
  if answer == nil then error('no answer to ' .. method) end
  if answer.err then return { refused = answer.err.message } end
  return answer.result
end

vim.cmd('edit ' .. vim.env.CNN_FILE)
local id = vim.lsp.start_client({ name = 'dotcnn', cmd = words, root_dir = vim.fn.getcwd() })
vim.lsp.buf_attach_client(0, id)
local client = vim.lsp.get_client_by_id(id)
wait_for('the server', function() return client.initialized end)
wait_for('diagnostics', function() return #vim.diagnostic.get(0) > 0 end)
for _, each in ipairs(vim.diagnostic.get(0)) do
  told.diagnostics = told.diagnostics or {}
  table.insert(told.diagnostics, { line = each.lnum + 1, message = each.message })
end

local file = { uri = vim.uri_from_bufnr(0) }
local function at(line, column)
  return { textDocument = file, position = { line = line - 1, character = column - 1 } }
end

-- the fix, taken
local range = { start = { line = 0, character = 0 }, ['end'] = { line = 99, character = 0 } }
local actions = ask(client, 'textDocument/codeAction',
  { textDocument = file, range = range, context = { diagnostics = {} } })
told.actions = vim.tbl_map(function(each) return each.title end, actions)
vim.lsp.util.apply_workspace_edit(actions[1].edit, client.offset_encoding)
wait_for('no diagnostics', function() return #vim.diagnostic.get(0) == 0 end)

told.hover = ask(client, 'textDocument/hover', at(3, 4)).contents.value
told.hints = vim.tbl_map(function(each) return each.label end,
  ask(client, 'textDocument/inlayHint', { textDocument = file, range = range }))
vim.api.nvim_buf_set_lines(0, 2, 2, false, { '  conv 8 ' })
local items = ask(client, 'textDocument/completion', at(3, 10)).items
told.completion = vim.tbl_map(function(each) return each.label end, items)
vim.api.nvim_buf_set_lines(0, 2, 3, false, {})
told.definition = ask(client, 'textDocument/definition', at(4, 3)).range.start.line + 1
local renamed = ask(client, 'textDocument/rename',
  vim.tbl_extend('error', at(4, 3), { newName = 'cell' }))
vim.lsp.util.apply_workspace_edit(renamed, client.offset_encoding)
vim.lsp.buf.formatting_sync(nil, 60000)
told.text = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\n')
io.stdout:write('\n' .. vim.json.encode(told) .. '\n')
vim.cmd('qa!')
