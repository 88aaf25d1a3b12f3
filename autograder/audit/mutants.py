"""Operator mutants of a reference solution: one small change each, as a slip of the hand would make."""

import ast
import copy

SWAPS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
         ast.MatMult: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
         ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr,
         ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
         ast.Is: ast.IsNot, ast.IsNot: ast.Is}


def changes(node):
    """The nodes that one slip makes of `node`: sign, operator, constant, comparison, dropped term."""
    if isinstance(node, ast.BinOp):
        swapped = copy.copy(node)
        swapped.op = SWAPS[type(node.op)]()
        return [swapped, node.left, node.right]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not)):
        return [node.operand]
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        swapped = copy.copy(node)
        swapped.ops = [SWAPS[type(node.ops[0])](), *node.ops[1:]]
        return [swapped]
    if isinstance(node, ast.Constant):
        return [ast.Constant(value) for value in _other_constants(node.value)]
    return []


def _other_constants(value):
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1]
    if isinstance(value, float):
        return [value * 2 if value else 1.0]
    return []


class _Replace(ast.NodeTransformer):
    """Replace the `index`-th node, counted in walking order, by its `choice`-th change."""

    def __init__(self, target, replacement):
        self.target, self.replacement = target, replacement

    def visit(self, node):
        return self.replacement if node is self.target else super().visit(node)


def mutants(source):
    """[(description, source)] of a function's mutants, without repetitions; annotations stay."""
    tree = ast.parse(source)
    found = {}
    for place, node in enumerate(ast.walk(tree)):
        for choice, _ in enumerate(changes(node)):
            mutated = copy.deepcopy(tree)
            target = list(ast.walk(mutated))[place]
            replacement = changes(target)[choice]
            before, line = ast.unparse(target), target.lineno - tree.body[0].lineno + 1
            mutated = ast.fix_missing_locations(_Replace(target, replacement).visit(mutated))
            text = ast.unparse(mutated)
            if text != ast.unparse(tree):
                found.setdefault(text, f"line {line}: {before} -> {ast.unparse(replacement)}")
    return [(description, text) for text, description in found.items()]
