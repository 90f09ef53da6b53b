"""The dark palette: colours, contrast and the little style sheet that Fusion needs."""

from __future__ import annotations

from PyQt6.QtGui import QColor, QPalette

VOID = "#0a0c10"
BASE = "#11151b"
PANEL = "#171c24"
RAISED = "#212935"
LINE = "#33404f"
EDGE = "#6b7b8d"
TEXT = "#e2e8ef"
MUTED = "#a3b0be"
ACCENT = "#f2b84b"
ON_ACCENT = "#14181e"
RED = "#ff6b6b"
GREEN = "#56d48a"
BLUE = "#6ea8ff"
WARN = "#ffb4a8"
WARN_BACK = "#4a1d1d"

TEXT_PAIRS = (
    (TEXT, VOID),
    (TEXT, BASE),
    (TEXT, PANEL),
    (TEXT, RAISED),
    (MUTED, BASE),
    (MUTED, PANEL),
    (MUTED, RAISED),
    (ACCENT, PANEL),
    (ON_ACCENT, ACCENT),
    (RED, PANEL),
    (GREEN, PANEL),
    (BLUE, PANEL),
    (WARN, WARN_BACK),
)
"""Every pair of (text, ground) that the window uses."""


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two "#rrggbb" colours, 1 to 21 (WCAG 2.1; text wants 4.5)."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def dark_palette() -> QPalette:
    """The palette for Fusion."""
    roles = {
        QPalette.ColorRole.Window: PANEL,
        QPalette.ColorRole.WindowText: TEXT,
        QPalette.ColorRole.Base: BASE,
        QPalette.ColorRole.AlternateBase: PANEL,
        QPalette.ColorRole.ToolTipBase: RAISED,
        QPalette.ColorRole.ToolTipText: TEXT,
        QPalette.ColorRole.PlaceholderText: MUTED,
        QPalette.ColorRole.Text: TEXT,
        QPalette.ColorRole.Button: RAISED,
        QPalette.ColorRole.ButtonText: TEXT,
        QPalette.ColorRole.BrightText: WARN,
        QPalette.ColorRole.Link: ACCENT,
        QPalette.ColorRole.Highlight: ACCENT,
        QPalette.ColorRole.HighlightedText: ON_ACCENT,
        QPalette.ColorRole.Light: LINE,
        QPalette.ColorRole.Midlight: LINE,
        QPalette.ColorRole.Mid: LINE,
        QPalette.ColorRole.Dark: VOID,
        QPalette.ColorRole.Shadow: VOID,
    }
    palette = QPalette()
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(EDGE))
    palette.setColor(QPalette.ColorGroup.Disabled, QPalette.ColorRole.Highlight, QColor(LINE))
    return palette


STYLE = f"""
QMainWindow::separator {{ background: {VOID}; width: 4px; height: 4px; }}
QMainWindow::separator:hover {{ background: {ACCENT}; }}
QDockWidget {{ color: {MUTED}; font-weight: 600; }}
QDockWidget::title {{ background: {RAISED}; padding: 4px 8px; }}
QToolBar {{ background: {PANEL}; border: 0; border-bottom: 1px solid {LINE}; spacing: 3px; padding: 3px 6px; }}
QToolBar::separator {{ background: {LINE}; width: 1px; margin: 5px 6px; }}
QToolButton {{ border: 1px solid transparent; border-radius: 4px; padding: 4px; color: {TEXT}; }}
QToolButton:hover {{ background: {RAISED}; }}
QToolButton:pressed, QToolButton:checked {{ background: {LINE}; border-color: {ACCENT}; }}
QToolButton:focus, QPushButton:focus, QLineEdit:focus, QListView:focus, QComboBox:focus
{{ border: 1px solid {ACCENT}; }}
QPushButton {{ background: {RAISED}; border: 1px solid {LINE}; border-radius: 4px; padding: 4px 9px; }}
QPushButton:hover {{ border-color: {EDGE}; }}
QPushButton:pressed, QPushButton:checked {{ background: {ACCENT}; color: {ON_ACCENT}; }}
QPushButton:disabled {{ color: {EDGE}; }}
QLineEdit {{ background: {BASE}; border: 1px solid {LINE}; border-radius: 3px; padding: 2px 4px; }}
QLineEdit[wrong="true"] {{ border-color: {RED}; background: {WARN_BACK}; }}
QListView {{ background: {BASE}; border: 1px solid {LINE}; border-radius: 3px; outline: 0; }}
QMenuBar {{ background: {PANEL}; border-bottom: 1px solid {LINE}; }}
QMenuBar::item {{ padding: 4px 9px; background: transparent; }}
QMenuBar::item:selected {{ background: {RAISED}; }}
QStatusBar {{ background: {VOID}; border-top: 1px solid {LINE}; }}
QStatusBar::item {{ border: 0; }}
QToolTip {{ background: {RAISED}; color: {TEXT}; border: 1px solid {EDGE}; padding: 4px; }}
QScrollArea {{ border: 0; }}
"""
