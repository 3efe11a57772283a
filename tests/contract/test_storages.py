"""All storages keep the one contract."""

from pathlib import Path

import pytest

from mlver.storage.base import Storage
from mlver.storage.faulty import FaultyStorage
from mlver.storage.local import LocalStorage
from mlver.storage.memory import MemoryStorage
from mlver.testing import StorageContract


class TestLocalStorage(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return LocalStorage(tmp_path / "store")


class TestMemoryStorage(StorageContract):
    @pytest.fixture
    def storage(self) -> Storage:
        return MemoryStorage()


class TestFaultyStorageWithoutFault(StorageContract):
    @pytest.fixture
    def storage(self) -> Storage:
        return FaultyStorage(MemoryStorage())
